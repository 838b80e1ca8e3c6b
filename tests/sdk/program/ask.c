/*
 * Asks a flag in process for contexts from stdin, one a line, as the SDK answers:
 *     ask FLAG [CACHE_FILE]
 * A line "VARIANT REASON" for each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/lockstep.h"

int main(int argc, char **argv)
{
    lockstep_config config = {.cache_file = argc > 2 ? argv[2] : NULL};
    lockstep_client *client = NULL;
    char error[300], *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (argc < 2 || lockstep_open(&config, &client, error, sizeof error) != LOCKSTEP_OK ||
        lockstep_wait_ready(client, 60000) != LOCKSTEP_OK)
        return 1;
    (void)lockstep_refresh(client, 60000); /* without a server the cache it is */
    while ((len = getline(&line, &room, stdin)) > 0) {
        lockstep_details details;

        line[len - 1] = '\0';
        (void)lockstep_bool(client, argv[1], line, false, &details);
        printf("%s %s\n", details.variant, details.reason);
    }
    free(line);
    lockstep_close(client);
    return 0;
}
