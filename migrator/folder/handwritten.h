/*
 * handwritten - the SQL files that may stand beside a migration.json.
 *
 *     expand.sql  expand.down.sql  dual_write.sql  dual_write.down.sql  contract.sql
 *     contract.down.sql            with "handwritten": true, which generates nothing
 *     backfill.sql                 one statement that ends in the word :range
 *     verify.sql                   one SELECT of rows that are wrong; it must find none
 *
 * backfill.sql and verify.sql may also replace what is generated for columns. Pure.
 */
#ifndef MIGRATOR_HANDWRITTEN_H
#define MIGRATOR_HANDWRITTEN_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "migrator/folder/phased.h"
#include "migrator/folder/state.h"

enum hand_file {
    HAND_EXPAND,
    HAND_DUAL_WRITE,
    HAND_CONTRACT,
    HAND_EXPAND_DOWN,
    HAND_DUAL_WRITE_DOWN,
    HAND_CONTRACT_DOWN,
    HAND_BACKFILL,
    HAND_VERIFY,
    HAND_FILES
};

struct handwritten {
    struct str files[HAND_FILES]; /* at NULL: there is none */
    const char *backfill;         /* without its :range, so that a range can follow; or NULL */
    const char *verify;           /* or NULL */
};

const char *handwritten_name(enum hand_file file); /* "expand.sql" */

/* Whether the files belong together and to what migration.json says; fills backfill and verify.
 * ERR_INVALID names the file. */
MUST_USE enum err_code handwritten_check(struct handwritten *hand, const struct phased *phased,
                                         struct arena *arena, struct err *err);

/* The file of an arrow, and with which it goes back; false: no file concerns this arrow. */
bool handwritten_arrow(enum mig_state from, enum mig_state to, enum hand_file *file);
/* The first file without its .down.sql on the way back between two states, or NULL. */
const char *handwritten_no_way_back(const struct handwritten *hand, enum mig_state from,
                                    enum mig_state to);

/* Whether any of the files names the table. */
bool handwritten_mentions(const struct handwritten *hand, const char *table);

#endif
