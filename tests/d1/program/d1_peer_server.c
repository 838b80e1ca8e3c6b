/*
 * The scripted D1 peer (tests/database/d1_peer.h) as a program, for scripts: prints the API's base
 * URL, then does what is written to it line by line, and answers "done" to each.
 *
 *     sql TEXT        runs it past the API, as the application would
 *     fault NUMBER    adds an enum d1_fault to the queue
 *     no-travel       there is no Time Travel from now on
 *     requests        answers how many there were
 *
 * It ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/database/d1_peer.h"

int main(int argc, char **argv)
{
    struct d1_peer *peer = d1_peer_start(argc > 1 ? argv[1] : "secret");
    char line[20000];

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
        } else if (strcmp(line, "requests") == 0) {
            printf("%u\n", d1_peer_requests(peer));
            (void)fflush(stdout);
            continue;
        }
        puts("done");
        (void)fflush(stdout);
    }
    d1_peer_stop(peer);
    return 0;
}
