/* phased_parse() takes any bytes, and what it takes keeps to phased.h. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

#include "migrator/folder/facts.h"
#include "migrator/folder/phased.h"

static void check_columns(const struct phased *phased)
{
    CHECK(phased->add_count <= PHASED_COLUMNS_MAX && phased->drop_count <= PHASED_COLUMNS_MAX);
    CHECK(phased->alter_count <= PHASED_COLUMNS_MAX);
    CHECK(phased->kind != PHASED_COLUMNS ||
          phased->add_count + phased->drop_count + phased->alter_count +
                  phased->create_index_count + phased->drop_index_count >
              0);
    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];

        CHECK(add->name != NULL && add->name[0] != '\0');
        CHECK(!add->not_null || add->forward != NULL);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcasecmp(phased->add[j].name, add->name) != 0);
        }
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        const struct phased_drop *drop = &phased->drop[i];

        CHECK(drop->name != NULL && drop->name[0] != '\0');
        CHECK(drop->reverse != NULL || drop->cast_from != NULL || phased->lossy);
    }
    for (size_t i = 0; i < phased->alter_count; i++) {
        const struct phased_alter *alter = &phased->alter[i];

        CHECK(alter->name != NULL && alter->name[0] != '\0');
        CHECK(alter->null != PHASED_NULL_AS_IT_IS || alter->check != NULL);
        CHECK(alter->fill == NULL || alter->null == PHASED_NULL_REFUSED);
        CHECK(alter->reverse == NULL || alter->null == PHASED_NULL_ALLOWED);
    }
    for (size_t i = 0; i < phased->create_index_count; i++) {
        CHECK(phased->create_index[i].name != NULL && phased->create_index[i].sql != NULL);
    }
}

static void check_terms(const struct phased *phased)
{
    CHECK(phased->description != NULL && phased->table != NULL && phased->table[0] != '\0');
    CHECK(phased->old_writes_idle_ms >= 0 && phased->lease_s >= 1 && phased->lease_s <= 86400);
    CHECK(phased->flag == NULL || strcmp(phased->flag_old, phased->flag_new) != 0);
    for (int i = 0; i < PHASED_GATES; i++) {
        struct facts facts = {.old_idle_ms = -1, .phase = "in-sync", .environment = "test"};
        struct json *parts = json_array();
        struct err err = {0};
        bool holds = false, unknown = false;

        if (phased->gates[i] != NULL &&
            facts_hold(phased->gates[i], &facts, &holds, &unknown, parts, &err)) {
            CHECK(err.code != ERR_OK && err.msg[0] != '\0');
        }
        CHECK(!holds || !unknown); /* nothing unknown is true */
        json_free(parts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct phased *phased = NULL;
    struct err err = {0};
    char *text = fuzz_exact((struct str){(const char *)data, size});
    enum err_code rc = phased_parse((struct str){text, size}, &arena, &phased, &err);

    fuzz_release(); /* nothing may stay borrowed */
    if (rc == ERR_OK) {
        CHECK(phased != NULL);
        check_columns(phased);
        check_terms(phased);
    } else {
        CHECK(phased == NULL && err.code == rc && err.msg[0] != '\0');
        CHECK(rc == ERR_INVALID || rc == ERR_LIMIT);
    }
    arena_fini(&arena);
    return 0;
}
