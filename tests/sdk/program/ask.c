/*
 * Asks flags in process for contexts from stdin, one a line, as the SDK answers:
 *     ask FLAG[,FLAG...] [CACHE_FILE]
 * A line "VARIANT REASON" for each flag and context; with several flags "FLAG VARIANT REASON".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/lockstep.h"

static void ask(lockstep_client *client, const char *flag, const char *context, const char *label)
{
    lockstep_details details;

    (void)lockstep_object(client, flag, context, "null", NULL, 0, &details);
    if (strcmp(details.error_code, "TYPE_MISMATCH") == 0)
        (void)lockstep_bool(client, flag, context, false, &details);
    if (strcmp(details.error_code, "TYPE_MISMATCH") == 0)
        (void)lockstep_string(client, flag, context, "", NULL, 0, &details);
    printf("%s%s%s %s\n", label, label[0] != '\0' ? " " : "", details.variant, details.reason);
}

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
        char *flags = strdup(argv[1]), *rest = flags, *flag;
        bool several = strchr(argv[1], ',') != NULL;

        line[len - 1] = '\0';
        while (flags != NULL && (flag = strsep(&rest, ",")) != NULL)
            ask(client, flag, line, several ? flag : "");
        free(flags);
    }
    free(line);
    lockstep_close(client);
    return 0;
}
