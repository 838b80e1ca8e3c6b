/*
 * The scripted D1 peer (tests/database/d1_peer.h) as a program, for scripts: prints the API's base
 * URL, then does what is written to it line by line, and answers "done" to each.
 *
 *     sql TEXT        runs it past the API, as the application would
 *     must QUERY      ends the program unless the answer is true
 *     fault NUMBER    adds an enum d1_fault to the queue
 *     no-travel       there is no Time Travel from now on
 *     die-after-travel  nothing is answered from the next restore on; well: again
 *     requests        answers how many there were
 *     faults          answers how many are queued
 *     sent            answers how many statements that write
 *     connections     and on how many connections
 *     slow MS MAX     each changed row takes MS; a call that takes more than MAX is broken off
 *     weigh N         so many rows are written for each that is changed, as with indexes
 *     longest         answers how many ms the longest call took since
 *     import-fault N  the same as fault, for the steps of an import
 *     polls N         an import says so often that it is not done yet
 *     imports         answers how many files were carried out
 *     alters          ALTER COLUMN ... NOT NULL works from now on
 *
 * It ends with its input.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/database/d1_peer.h"

/* A question: true if it was one. */
static bool answer(struct d1_peer *peer, const char *line)
{
    if (strcmp(line, "requests") == 0) {
        printf("%u\n", d1_peer_requests(peer));
    } else if (strcmp(line, "faults") == 0) {
        printf("%u\n", d1_peer_faults(peer));
    } else if (strcmp(line, "sent") == 0) {
        printf("%u\n", d1_peer_sent(peer));
    } else if (strcmp(line, "connections") == 0) {
        printf("%u\n", d1_peer_connections(peer));
    } else if (strcmp(line, "imports") == 0) {
        printf("%u\n", d1_peer_imports(peer));
    } else if (strcmp(line, "longest") == 0) {
        printf("%.0f\n", d1_peer_longest_ms(peer));
    } else {
        return false;
    }
    (void)fflush(stdout);
    return true;
}

/* The program ends unless the query's answer is true. */
static void must(struct d1_peer *peer, const char *query)
{
    char sql[20100];

    (void)snprintf(sql, sizeof sql, "INSERT INTO _cf_must SELECT NULL WHERE NOT coalesce((%s), 0)",
                   query);
    d1_peer_run(peer, "CREATE TABLE IF NOT EXISTS _cf_must(ok INTEGER NOT NULL)");
    d1_peer_run(peer, sql);
    d1_peer_run(peer, "DROP TABLE _cf_must");
}

int main(int argc, char **argv)
{
    struct d1_peer *peer = d1_peer_start(argc > 1 ? argv[1] : "secret");
    char line[20000];
    double ms, max_ms;

    printf("%s\n", d1_peer_api(peer));
    (void)fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "sql ", 4) == 0) {
            d1_peer_run(peer, line + 4);
        } else if (strncmp(line, "fault ", 6) == 0) {
            d1_peer_fault(peer, (enum d1_fault)strtol(line + 6, NULL, 10));
        } else if (strcmp(line, "no-travel") == 0) {
            d1_peer_forget_travel(peer);
        } else if (strncmp(line, "must ", 5) == 0) {
            must(peer, line + 5);
        } else if (strncmp(line, "import-fault ", 13) == 0) {
            d1_peer_fault_import(peer, (enum d1_fault)strtol(line + 13, NULL, 10));
        } else if (sscanf(line, "slow %lf %lf", &ms, &max_ms) == 2) {
            d1_peer_slow(peer, ms, max_ms);
        } else if (strcmp(line, "die-after-travel") == 0 || strcmp(line, "well") == 0) {
            d1_peer_die_after_travel(peer, *line == 'd');
        } else if (strncmp(line, "polls ", 6) == 0) {
            d1_peer_polls(peer, (unsigned)strtoul(line + 6, NULL, 10));
        } else if (strncmp(line, "weigh ", 6) == 0) {
            d1_peer_weigh(peer, (int)strtol(line + 6, NULL, 10));
        } else if (strcmp(line, "alters") == 0) {
            d1_peer_alters(peer);
        } else if (answer(peer, line)) {
            continue;
        }
        puts("done");
        (void)fflush(stdout);
    }
    d1_peer_stop(peer);
    return 0;
}
