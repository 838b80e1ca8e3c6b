/*
 * schedules - changes of flags that are made at a time, by the server's own clock: once, in the batch that marks
 * them done, as whoever scheduled them, and through the proof that every change passes.
 *
 * One that is refused then is recorded as failed, with the reason. After a time in which the server was down it
 * is made late, or dropped where it said not_after. On the worker.
 */
#ifndef SERVER_SCHEDULES_H
#define SERVER_SCHEDULES_H

#include "server/app.h"

/* Makes what is due. Called every SCHEDULES_TICK_MS, between requests. */
#define SCHEDULES_TICK_MS 500
void schedules_tick(struct app *app);

/* The flag as a schedule's document ({"change": ...} or {"promote": ...}) would have it. New; NULL: answered. */
struct json *schedules_apply(struct call *call, const struct store_flag *flag,
                             const struct json *document);

#endif
