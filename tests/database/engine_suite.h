/*
 * engine_suite - what every engine behind database.h must do, as cases for a cmocka group. Each
 * case finds in *state an empty database whose guards are prepared.
 */
#ifndef TESTS_DATABASE_ENGINE_SUITE_H
#define TESTS_DATABASE_ENGINE_SUITE_H

#include "tests/database/unit.h"

#include "database/database.h"

extern struct err suite_err; /* of the last call */

/* One statement as a batch. */
enum err_code suite_run(struct database *db, const char *sql);
/* The first value of a query, a whole number. */
int64_t suite_number(struct database *db, const char *sql);

void values_come_back_as_they_were(void **state);
void stored_values_keep_every_bit(void **state);
void text_is_compared_as_text(void **state);
void every_real_comes_back(void **state);
void guards_and_statements_take_every_value(void **state);
void names_are_there_without_rows(void **state);
void many_rows_come_in_order(void **state);
void a_query_only_reads_one_statement(void **state);
void a_batch_is_all_or_nothing(void **state);
void nothing_tears_a_batch_apart(void **state);
void changes_are_counted_without_triggers(void **state);
void guards_decide(void **state);
void a_guard_sees_parameters_and_what_was_done(void **state);
void an_epoch_shuts_out_who_slept(void **state);
void foreign_keys_hold(void **state);
void triggers_are_stored_as_they_were_sent(void **state);

#define ENGINE_SUITE(setup, teardown)                                                              \
    cmocka_unit_test_setup_teardown(values_come_back_as_they_were, setup, teardown),               \
        cmocka_unit_test_setup_teardown(stored_values_keep_every_bit, setup, teardown),            \
        cmocka_unit_test_setup_teardown(text_is_compared_as_text, setup, teardown),                \
        cmocka_unit_test_setup_teardown(every_real_comes_back, setup, teardown),                   \
        cmocka_unit_test_setup_teardown(guards_and_statements_take_every_value, setup, teardown),  \
        cmocka_unit_test_setup_teardown(names_are_there_without_rows, setup, teardown),            \
        cmocka_unit_test_setup_teardown(many_rows_come_in_order, setup, teardown),                 \
        cmocka_unit_test_setup_teardown(a_query_only_reads_one_statement, setup, teardown),        \
        cmocka_unit_test_setup_teardown(a_batch_is_all_or_nothing, setup, teardown),               \
        cmocka_unit_test_setup_teardown(nothing_tears_a_batch_apart, setup, teardown),             \
        cmocka_unit_test_setup_teardown(changes_are_counted_without_triggers, setup, teardown),    \
        cmocka_unit_test_setup_teardown(guards_decide, setup, teardown),                           \
        cmocka_unit_test_setup_teardown(a_guard_sees_parameters_and_what_was_done, setup,          \
                                        teardown),                                                 \
        cmocka_unit_test_setup_teardown(an_epoch_shuts_out_who_slept, setup, teardown),            \
        cmocka_unit_test_setup_teardown(foreign_keys_hold, setup, teardown),                       \
        cmocka_unit_test_setup_teardown(triggers_are_stored_as_they_were_sent, setup, teardown)

#endif
