/*
 * report_text - the reports of migrator/migrate.h as text for people, on stdout.
 */
#ifndef MIGRATE_REPORT_TEXT_H
#define MIGRATE_REPORT_TEXT_H

#include "base/json.h"

void report_print_steps(const struct json *report); /* apply and rollback */
void report_print_status(const struct json *report);
/* Statements on one line each, cut to the terminal's width (100 columns where stdout is none). */
void report_print_plan(const struct json *report);
void report_print_plan_whole(const struct json *report);
void report_print_verify(const struct json *report);

void report_print_history(const struct json *report);
void report_print_unlock(const struct json *report);
void report_print_restore(const struct json *report);
void report_print_rehearsal(const struct json *report);
void report_print_repair(const struct json *report);
void report_print_pace(const struct json *report); /* pause, resume, throttle */

#endif
