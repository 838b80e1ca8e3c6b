#include "server/advice.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Appends a word of a command. A quote within quotes is more than people should have to copy. */
static bool add_word(struct buf *command, const char *word)
{
    bool plain = word[0] != '\0' &&
                 strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
                              "%") == strlen(word);

    buf_char(command, ' ');
    if (plain) {
        buf_text(command, word);
    } else {
        buf_char(command, '\'');
        buf_text(command, word);
        buf_char(command, '\'');
    }
    return strchr(word, '\'') == NULL;
}

static const struct json *rule_number(const struct json *flag, unsigned long number)
{
    const struct json *rule = json_first(json_get(flag, "rules"));

    for (unsigned long i = 1; i < number && rule != NULL; i++) {
        rule = json_next(rule);
    }
    return rule;
}

static bool has_split(const struct json *serve)
{
    return json_get(serve, "split") != NULL || json_get(json_get(serve, "ramp"), "split") != NULL;
}

/* "--to 100%" means the other variant of two; where there are more, or a split, it must be named. */
static bool add_share(struct buf *command, const struct json *flag, const struct json *serve,
                      const char *target)
{
    bool named = json_count(json_get(flag, "variants")) > 2 || has_split(serve);

    if (!named && strcmp(json_get_text(flag, "off_variant", ""), target) == 0) {
        buf_text(command, " --to 0%");
        return true;
    }
    buf_text(command, " --to 100%");
    if (named) {
        buf_text(command, " --variant");
        return add_word(command, target);
    }
    return true;
}

static bool for_rule(struct buf *command, const struct json *flag, const char *where,
                     const char *target)
{
    const struct json *rule = rule_number(flag, strtoul(where + strlen("rule "), NULL, 10));
    const char *name = json_get_text(rule, "name", NULL);
    const char *key = json_get_text(flag, "key", "");

    if (name == NULL) {
        return false; /* the program knows rules by name */
    }
    if (strstr(where, "(when its condition fails") != NULL) {
        buf_text(command, "flags rule-set");
        return add_word(command, key) && add_word(command, name) &&
               (buf_text(command, " --on-error skip"), true);
    }
    buf_text(command, "flags ramp");
    return add_word(command, key) && (buf_text(command, " --rule"), add_word(command, name)) &&
           add_share(command, flag, json_get(rule, "serve"), target);
}

static bool for_domain(struct buf *command, const struct json *flag, const char *where,
                       const char *target)
{
    const char *pattern = where + strlen("domain ");
    size_t len = strcspn(pattern, " ");
    char name[300];

    if (len >= sizeof name) {
        return false;
    }
    memcpy(name, pattern, len);
    name[len] = '\0';
    buf_text(command, "flags ramp");
    return add_word(command, json_get_text(flag, "key", "")) &&
           (buf_text(command, " --domain"), add_word(command, name)) &&
           add_share(command, flag, json_get(json_get(flag, "domains"), name), target);
}

void advice_for_flag(const struct json *flag, const char *where, const char *target, char *command,
                     size_t size)
{
    struct buf text = {0};
    const char *key = json_get_text(flag, "key", "");
    bool off_is_target = strcmp(json_get_text(flag, "off_variant", ""), target) == 0;
    bool found = false;

    if (off_is_target) {
        buf_text(&text, "flags off");
        found = add_word(&text, key);
    } else if (strcmp(where, "off_variant") == 0) {
        buf_text(&text, "flags on");
        found = add_word(&text, key);
    } else if (strncmp(where, "domain ", 7) == 0) {
        found = for_domain(&text, flag, where, target);
    } else if (strncmp(where, "rule ", 5) == 0) {
        found = for_rule(&text, flag, where, target);
    } else if (strncmp(where, "fallthrough", 11) == 0) {
        buf_text(&text, "flags ramp");
        found =
            add_word(&text, key) && add_share(&text, flag, json_get(flag, "fallthrough"), target);
    }
    command[0] = '\0';
    if (found && !buf_failed(&text) && text.len < size) {
        memcpy(command, text.at, text.len + 1);
    }
    buf_fini(&text);
}
