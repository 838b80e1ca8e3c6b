#include "base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define TERMINAL_EVERY_US 100000 /* quick enough to look alive */
#define LOG_EVERY_US 3000000     /* seldom enough to read afterwards */
#define RATE_FROM_US 1000000     /* what took less says nothing about a rate */

void progress_init(struct progress *progress, const char *what, uint64_t done, bool quiet)
{
    *progress = (struct progress){.what = what, .first_done = done};
    progress->started_us = clock_monotonic_us();
    progress->shown_us = progress->started_us;
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->quiet = quiet && !progress->terminal;
}

/* Rows a second since the start, 0 while that is not known. */
static double rate_of(const struct progress *progress, uint64_t done, int64_t now_us)
{
    int64_t took_us = now_us - progress->started_us;

    if (took_us < RATE_FROM_US || done <= progress->first_done) {
        return 0;
    }
    return (double)(done - progress->first_done) * 1e6 / (double)took_us;
}

/* ", 1200/s"; "" while it is not known. */
static const char *rate_text(double rate, char out[32])
{
    out[0] = '\0';
    if (rate > 0) {
        snprintf(out, 32, ", %.0f/s", rate);
    }
    return out;
}

void progress_show(struct progress *progress, uint64_t done, uint64_t total)
{
    int64_t now_us = clock_monotonic_us();
    int64_t every_us = progress->terminal ? TERMINAL_EVERY_US : LOG_EVERY_US;
    double rate = rate_of(progress, done, now_us);
    char of[64] = "", left[64] = "", speed[32], span[CLOCK_TEXT_BYTES];

    if (progress->quiet || now_us - progress->shown_us < every_us) {
        return;
    }
    progress->shown_us = now_us;
    if (total > 0) {
        uint64_t shown = done < total ? done : total;
        snprintf(of, sizeof of, " of %" PRIu64 " (%d %%)", total,
                 (int)((double)shown * 100 / (double)total));
        if (rate > 0) {
            double left_us = (double)(total - shown) / rate * 1e6;
            snprintf(left, sizeof left, ", %s left",
                     clock_span_text(left_us < 9e15 ? (int64_t)left_us : 0, span));
        }
    }
    fprintf(stderr, "%s%s: %" PRIu64 "%s rows%s%s%s", progress->terminal ? "\r" : "",
            progress->what, done, of, rate_text(rate, speed), left,
            progress->terminal ? "\033[K" : "\n");
    fflush(stderr);
    progress->drawn = true;
}

void progress_end(struct progress *progress, uint64_t done)
{
    int64_t now_us = clock_monotonic_us();
    char span[CLOCK_TEXT_BYTES], speed[32];

    if (progress->quiet) {
        return;
    }
    fprintf(stderr, "%s%s: %" PRIu64 " rows in %s%s%s\n",
            progress->drawn && progress->terminal ? "\r" : "", progress->what, done,
            clock_span_text(now_us - progress->started_us, span),
            rate_text(rate_of(progress, done, now_us), speed), progress->terminal ? "\033[K" : "");
    fflush(stderr);
    progress->drawn = false;
}
