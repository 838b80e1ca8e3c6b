/*
 * logger - the application of the demo: a log service on a SQLite file that nobody stops while its
 * schema changes.
 *
 *     demo-logger make DATABASE EVENTS         a database with customers and log events
 *     demo-logger run DATABASE ACKS            writes and reads until SIGTERM; then one line of JSON
 *     demo-logger check DATABASE ACKS SHAPE    is every acknowledged write there? SHAPE is both,
 *                                              old or new
 *     demo-logger old-write DATABASE           one write by code that knows the old schema alone
 *
 * For each write it asks the flag, through the SDK, which code path to play for that customer.
 * Every write that SQLite has acknowledged is noted in ACKS, with the value that must be found.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sqlite3.h>

#include "sdk/lockstep.h"

#define FLAG "read-reporter-domain"
#define RECENT 256 /* acknowledged writes that the readers look at */
#define WRITES_A_SECOND 40

static const char *const domains[] = {
    "acme.com",       "globex.com",        "initech.com",   "umbrella.example",
    "hooli.example",  "stark.example",     "wayne.example", "wonka.example",
    "tyrell.example", "cyberdyne.example", "mail.acme.com", "soylent.example",
};
#define DOMAIN_COUNT (sizeof domains / sizeof domains[0])
static const char *const people[] = {"alice", "bob",   "carol", "dan",
                                     "Erin",  "frank", "grace", "Heidi"};
#define PEOPLE_COUNT (sizeof people / sizeof people[0])

struct write_note {
    sqlite3_int64 id;
    char reporter[64];
    unsigned domain;
};

struct logger {
    const char *database;
    FILE *acks;
    lockstep_client *flags;
    pthread_mutex_t lock; /* recent, counts */
    struct write_note recent[RECENT];
    unsigned recent_count, recent_next;
    uint64_t writes_old, writes_new, reads_old, reads_new, errors, mismatches;
    int64_t longest_wait_us;
    char first_error[200];
};

static volatile sig_atomic_t stopping;

static void stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void pause_us(int64_t us)
{
    struct timespec ts = {us / 1000000, us % 1000000 * 1000};

    nanosleep(&ts, NULL);
}

/* A small generator of its own for each thread; rand() is shared. */
static unsigned roll(unsigned *seed, unsigned sides)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % sides;
}

static void die(const char *what, sqlite3 *db)
{
    fprintf(stderr, "demo-logger: %s: %s\n", what,
            db != NULL ? sqlite3_errmsg(db) : strerror(errno));
    exit(1);
}

static sqlite3 *open_database(const char *path)
{
    sqlite3 *db;

    if (sqlite3_open(path, &db) != SQLITE_OK) {
        die(path, db);
    }
    sqlite3_busy_timeout(db, 10000);
    sqlite3_exec(db, "PRAGMA foreign_keys = ON", NULL, NULL, NULL);
    return db;
}

/* ---- make ---- */

static void run_sql(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        die(sql, db);
    }
}

static void make_events(sqlite3 *db, long events)
{
    sqlite3_stmt *stmt;
    unsigned seed = 7;

    if (sqlite3_prepare_v2(db,
                           "INSERT INTO log_event(customer_id, at, reporter, level, message) "
                           "VALUES(?1, ?2, ?3, ?4, 'request served in ' || ?5 || ' ms')",
                           -1, &stmt, NULL) != SQLITE_OK) {
        die("prepare", db);
    }
    for (long i = 0; i < events; i++) {
        unsigned domain = roll(&seed, DOMAIN_COUNT);
        char reporter[64];

        snprintf(reporter, sizeof reporter, "%s@%s", people[roll(&seed, PEOPLE_COUNT)],
                 domains[domain]);
        sqlite3_bind_int(stmt, 1, (int)domain + 1);
        sqlite3_bind_int64(stmt, 2, 1760000000 + i);
        sqlite3_bind_text(stmt, 3, reporter, -1, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 4, roll(&seed, 20) == 0 ? "error" : "info", -1, SQLITE_STATIC);
        sqlite3_bind_int(stmt, 5, (int)roll(&seed, 900));
        if (sqlite3_step(stmt) != SQLITE_DONE) {
            die("insert", db);
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

static int make(const char *path, long events)
{
    sqlite3 *db = open_database(path);

    run_sql(db, "PRAGMA journal_mode = WAL");
    run_sql(db, "BEGIN");
    run_sql(db, "CREATE TABLE customer(id INTEGER PRIMARY KEY, domain TEXT NOT NULL UNIQUE)");
    run_sql(db, "CREATE TABLE log_event(\n"
                "    id INTEGER PRIMARY KEY,\n"
                "    customer_id INTEGER NOT NULL REFERENCES customer(id) ON DELETE CASCADE,\n"
                "    at INTEGER NOT NULL,\n"
                "    reporter TEXT NOT NULL, -- an e-mail address\n"
                "    level TEXT NOT NULL DEFAULT 'info' CHECK(level IN ('info', 'error')),\n"
                "    message TEXT NOT NULL\n"
                ")");
    run_sql(db, "CREATE INDEX log_event_by_time ON log_event(at)");
    for (unsigned i = 0; i < DOMAIN_COUNT; i++) {
        char *sql = sqlite3_mprintf("INSERT INTO customer VALUES(%u, %Q)", i + 1, domains[i]);

        run_sql(db, sql);
        sqlite3_free(sql);
    }
    make_events(db, events);
    run_sql(db, "COMMIT");
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}

/* ---- run ---- */

static void note_error(struct logger *logger, const char *what, sqlite3 *db)
{
    pthread_mutex_lock(&logger->lock);
    if (logger->errors++ == 0) {
        snprintf(logger->first_error, sizeof logger->first_error, "%s: %s", what,
                 sqlite3_errmsg(db));
    }
    pthread_mutex_unlock(&logger->lock);
}

/* Which code path for this customer: true is the new one. */
static bool new_path(struct logger *logger, unsigned domain, unsigned person)
{
    char context[200];

    snprintf(context, sizeof context, "{\"targetingKey\":\"%s@%s\",\"domain\":\"%s\"}",
             people[person], domains[domain], domains[domain]);
    return lockstep_bool(logger->flags, FLAG, context, false, NULL);
}

static void acknowledge(struct logger *logger, const struct write_note *note, bool new_code,
                        int64_t waited)
{
    fprintf(logger->acks, "%lld\t%s\n", (long long)note->id, note->reporter);
    fflush(logger->acks);
    pthread_mutex_lock(&logger->lock);
    for (unsigned i = 0; i < logger->recent_count; i++) { /* an update: the old value is past */
        if (logger->recent[i].id == note->id) {
            logger->recent[i] = *note;
            goto counted;
        }
    }
    logger->recent[logger->recent_next] = *note;
    logger->recent_next = (logger->recent_next + 1) % RECENT;
    if (logger->recent_count < RECENT) {
        logger->recent_count++;
    }
counted:
    if (new_code) {
        logger->writes_new++;
    } else {
        logger->writes_old++;
    }
    if (waited > logger->longest_wait_us) {
        logger->longest_wait_us = waited;
    }
    pthread_mutex_unlock(&logger->lock);
}

static bool write_event(sqlite3 *db, bool new_code, struct write_note *note, const char *mailbox,
                        bool update)
{
    static const char *const sql[2][2] = {
        {"INSERT INTO log_event(customer_id, at, reporter, message) VALUES(?1, ?2, ?3, 'live')",
         "UPDATE log_event SET reporter = ?3, at = ?2 WHERE id = ?6"},
        {"INSERT INTO log_event(customer_id, at, reporter_mailbox, reporter_domain, message) "
         "VALUES(?1, ?2, ?4, ?5, 'live')",
         "UPDATE log_event SET reporter_mailbox = ?4, reporter_domain = ?5, at = ?2 WHERE id = ?6"},
    };
    const char *values[] = {note->reporter, mailbox, domains[note->domain]};
    sqlite3_stmt *stmt;
    bool done;

    if (sqlite3_prepare_v2(db, sql[new_code][update], -1, &stmt, NULL) != SQLITE_OK) {
        return false;
    }
    sqlite3_bind_int(stmt, 1, (int)note->domain + 1);
    sqlite3_bind_int64(stmt, 2, (sqlite3_int64)time(NULL));
    for (int i = 0; i < 3; i++) {
        sqlite3_bind_text(stmt, 3 + i, values[i], -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(stmt, 6, note->id);
    done = sqlite3_step(stmt) == SQLITE_DONE;
    if (done && !update) {
        note->id = sqlite3_last_insert_rowid(db);
    }
    return sqlite3_finalize(stmt) == SQLITE_OK && done;
}

static void *writer(void *arg)
{
    struct logger *logger = arg;
    sqlite3 *db = open_database(logger->database);
    unsigned seed = 99;
    sqlite3_int64 last_id = 0;
    unsigned last_domain = 0;

    while (!stopping) {
        unsigned person = roll(&seed, PEOPLE_COUNT);
        bool update = last_id != 0 && roll(&seed, 4) == 0;
        struct write_note note = {.domain = update ? last_domain : roll(&seed, DOMAIN_COUNT)};
        bool new_code = new_path(logger, note.domain, person);
        int64_t start = now_us();

        note.id = last_id;
        snprintf(note.reporter, sizeof note.reporter, "%s@%s", people[person],
                 domains[note.domain]);
        if (write_event(db, new_code, &note, people[person], update)) {
            acknowledge(logger, &note, new_code, now_us() - start);
            last_id = note.id;
            last_domain = note.domain;
        } else {
            note_error(logger, new_code ? "write by the new path" : "write by the old path", db);
        }
        pause_us(1000000 / WRITES_A_SECOND);
    }
    sqlite3_close(db);
    return NULL;
}

/* Reads one acknowledged write by one path; notes what is not as it was written. A write that was
 * updated meanwhile is looked up once more under the lock-free rule "newest note wins". */
static void read_event(struct logger *logger, sqlite3 *db, bool new_code, unsigned *seed)
{
    const char *sql = new_code ? "SELECT reporter_mailbox || '@' || reporter_domain FROM log_event "
                                 "WHERE id = ?1"
                               : "SELECT reporter FROM log_event WHERE id = ?1";
    struct write_note note = {0}, after = {0};
    unsigned slot = 0;
    sqlite3_stmt *stmt;
    bool same = false;

    pthread_mutex_lock(&logger->lock);
    if (logger->recent_count > 0) {
        slot = roll(seed, logger->recent_count);
        note = logger->recent[slot];
    }
    pthread_mutex_unlock(&logger->lock);
    if (note.id == 0 || new_path(logger, note.domain, 0) != new_code) {
        return; /* this customer is on the other path */
    }
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        note_error(logger, new_code ? "read by the new path" : "read by the old path", db);
        return;
    }
    sqlite3_bind_int64(stmt, 1, note.id);
    if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0) != NULL) {
        same = strcmp((const char *)sqlite3_column_text(stmt, 0), note.reporter) == 0;
    }
    sqlite3_finalize(stmt);
    if (!same) {
        pause_us(200000); /* the writer may be between its commit and its note */
    }
    pthread_mutex_lock(&logger->lock);
    after = logger->recent[slot];
    if (!same && after.id == note.id && strcmp(after.reporter, note.reporter) == 0) {
        logger->mismatches++;
    }
    if (new_code) {
        logger->reads_new++;
    } else {
        logger->reads_old++;
    }
    pthread_mutex_unlock(&logger->lock);
}

struct reader {
    struct logger *logger;
    bool new_code;
};

static void *reader(void *arg)
{
    struct reader *self = arg;
    sqlite3 *db = open_database(self->logger->database);
    unsigned seed = self->new_code ? 5 : 6;

    while (!stopping) {
        read_event(self->logger, db, self->new_code, &seed);
        pause_us(10000);
    }
    sqlite3_close(db);
    return NULL;
}

static int run(const char *database, const char *acks)
{
    struct logger logger = {.database = database, .lock = PTHREAD_MUTEX_INITIALIZER};
    struct reader readers[2] = {{&logger, false}, {&logger, true}};
    lockstep_config config = {.name = "logger", .poll_ms = 300};
    pthread_t threads[3];
    char error[200];

    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    logger.acks = fopen(acks, "a");
    if (logger.acks == NULL) {
        die(acks, NULL);
    }
    if (lockstep_open(&config, &logger.flags, error, sizeof error) != LOCKSTEP_OK ||
        lockstep_wait_ready(logger.flags, 10000) != LOCKSTEP_OK) {
        fprintf(stderr, "demo-logger: the flag server does not answer\n");
        return 1;
    }
    pthread_create(&threads[0], NULL, writer, &logger);
    pthread_create(&threads[1], NULL, reader, &readers[0]);
    pthread_create(&threads[2], NULL, reader, &readers[1]);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    lockstep_close(logger.flags);
    fclose(logger.acks);
    printf("{\"writes_old\":%" PRIu64 ",\"writes_new\":%" PRIu64 ",\"reads_old\":%" PRIu64
           ",\"reads_new\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"mismatches\":%" PRIu64
           ",\"longest_wait_ms\":%.1f,\"first_error\":\"%s\"}\n",
           logger.writes_old, logger.writes_new, logger.reads_old, logger.reads_new, logger.errors,
           logger.mismatches, (double)logger.longest_wait_us / 1000.0, logger.first_error);
    return 0;
}

/* ---- check ---- */

/* What the notes allow each event to hold. The logger goes on while it is checked, so a note that
 * was made after the database was looked at allows its value too. */
struct notes {
    char *text;
    char **last; /* by id: the newest value noted before the look */
    sqlite3_int64 ids;
    size_t count;
    struct {
        sqlite3_int64 id;
        const char *value;
    } later[4096];
    size_t later_count;
};

#define NOTES_IDS_MAX 4000000

static long file_bytes(const char *path)
{
    FILE *file = fopen(path, "r");
    long bytes;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (bytes = ftell(file)) < 0) {
        die(path, NULL);
    }
    fclose(file);
    return bytes;
}

static void note_line(struct notes *notes, char *line, bool before)
{
    char *tab = strchr(line, '\t');
    sqlite3_int64 id = atoll(line);

    if (tab == NULL || id <= 0 || id >= NOTES_IDS_MAX) {
        return;
    }
    if (!before) {
        if (notes->later_count < sizeof notes->later / sizeof notes->later[0]) {
            notes->later[notes->later_count].id = id;
            notes->later[notes->later_count++].value = tab + 1;
        }
        return;
    }
    if (notes->last[id] == NULL) {
        notes->count++;
    }
    notes->last[id] = tab + 1;
    if (id > notes->ids) {
        notes->ids = id;
    }
}

/* Lines that start before `looked` bytes were noted before the look at the database. */
static void notes_read(struct notes *notes, const char *path, long looked)
{
    long bytes = file_bytes(path);
    FILE *file = fopen(path, "r");

    notes->text = calloc(1, (size_t)bytes + 1);
    notes->last = calloc(NOTES_IDS_MAX, sizeof *notes->last);
    if (file == NULL || notes->text == NULL || notes->last == NULL ||
        fread(notes->text, 1, (size_t)bytes, file) != (size_t)bytes) {
        die(path, NULL);
    }
    fclose(file);
    for (char *line = notes->text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        note_line(notes, line, line - notes->text < looked);
    }
}

static bool notes_allow(const struct notes *notes, sqlite3_int64 id, const char *value)
{
    if (value == NULL) {
        return false;
    }
    for (size_t i = 0; i < notes->later_count; i++) {
        if (notes->later[i].id == id && strcmp(notes->later[i].value, value) == 0) {
            return true;
        }
    }
    return strcmp(notes->last[id], value) == 0;
}

static int check(const char *database, const char *acks, const char *shape)
{
    const char *sql =
        strcmp(shape, "both") == 0 ? "SELECT reporter, reporter_mailbox || '@' || reporter_domain "
                                     "FROM log_event WHERE id = ?1"
        : strcmp(shape, "new") == 0
            ? "SELECT reporter_mailbox || '@' || reporter_domain FROM log_event WHERE "
              "id = ?1"
            : "SELECT reporter FROM log_event WHERE id = ?1";
    sqlite3 *db = open_database(database);
    static struct notes notes;
    size_t wrong = 0;
    sqlite3_stmt *stmt;
    long looked = file_bytes(acks);

    run_sql(db, "BEGIN");
    run_sql(db, "SELECT count(*) FROM customer"); /* the moment that is looked at begins here */
    pause_us(300000);
    notes_read(&notes, acks, looked);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        die(sql, db);
    }
    for (sqlite3_int64 id = 1; id <= notes.ids; id++) {
        bool found;

        if (notes.last[id] == NULL) {
            continue;
        }
        sqlite3_bind_int64(stmt, 1, id);
        found = sqlite3_step(stmt) == SQLITE_ROW;
        for (int column = 0; found && column < sqlite3_column_count(stmt); column++) {
            found = notes_allow(&notes, id, (const char *)sqlite3_column_text(stmt, column));
        }
        if (!found && wrong++ < 3) {
            fprintf(stderr, "demo-logger: event %lld is not '%s'\n", (long long)id, notes.last[id]);
        }
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    printf("%zu acknowledged, %zu wrong\n", notes.count, wrong);
    wrong += notes.count == 0;
    free(notes.last);
    free(notes.text);
    return wrong == 0 ? 0 : 1;
}

static int old_write(const char *database)
{
    sqlite3 *db = open_database(database);
    struct write_note note = {.reporter = "old@acme.com"};
    bool done = write_event(db, false, &note, "old", false);

    printf("%s\n", done ? "accepted" : sqlite3_errmsg(db));
    sqlite3_close(db);
    return done ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0) {
        return make(argv[2], strtol(argv[3], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "run") == 0) {
        return run(argv[2], argv[3]);
    }
    if (argc == 5 && strcmp(argv[1], "check") == 0) {
        return check(argv[2], argv[3], argv[4]);
    }
    if (argc == 3 && strcmp(argv[1], "old-write") == 0) {
        return old_write(argv[2]);
    }
    fprintf(stderr, "usage: demo-logger make|run|check|old-write DATABASE ...\n");
    return 2;
}
