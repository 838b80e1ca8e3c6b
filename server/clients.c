#include "server/clients.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { BUCKETS = 1024, RETRY_US = 30000000 };

struct entry {
    struct client client;
    int64_t seen_us;
    int64_t recorded_us; /* monotonic; meaningless unless recorded */
    bool recorded;
    struct entry *next;
};

struct clients {
    pthread_mutex_t mutex;
    struct entry *buckets[BUCKETS];
    size_t count;
    int64_t record_after_us; /* no recording before; see clients_not_recorded() */
};

const char *client_kind_name(enum client_kind kind)
{
    return kind == CLIENT_OFREP ? "ofrep" : "sdk";
}

struct clients *clients_new(void)
{
    struct clients *clients = calloc(1, sizeof *clients);

    if (clients != NULL) {
        pthread_mutex_init(&clients->mutex, NULL);
    }
    return clients;
}

void clients_free(struct clients *clients)
{
    if (clients == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        while (clients->buckets[i] != NULL) {
            struct entry *gone = clients->buckets[i];

            clients->buckets[i] = gone->next;
            free(gone);
        }
    }
    pthread_mutex_destroy(&clients->mutex);
    free(clients);
}

static size_t bucket_for(const struct client *client)
{
    uint32_t hash = 2166136261u; /* FNV-1a: tokens keep strangers out, so no seed is needed */

    for (const char *c = client->name; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    for (const char *c = client->instance; *c != '\0'; c++) {
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    }
    return hash % BUCKETS;
}

static struct entry *find(struct clients *clients, const struct client *client)
{
    struct entry *entry = clients->buckets[bucket_for(client)];

    while (entry != NULL &&
           (entry->client.kind != client->kind || strcmp(entry->client.name, client->name) != 0 ||
            strcmp(entry->client.instance, client->instance) != 0)) {
        entry = entry->next;
    }
    return entry;
}

static void remove_oldest(struct clients *clients)
{
    struct entry **oldest = NULL;

    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry **at = &clients->buckets[i]; *at != NULL; at = &(*at)->next) {
            if (oldest == NULL || (*at)->seen_us < (*oldest)->seen_us) {
                oldest = at;
            }
        }
    }
    if (oldest != NULL) {
        struct entry *gone = *oldest;

        *oldest = gone->next;
        free(gone);
        clients->count--;
    }
}

/* Finds or makes; NULL when out of memory. Under the mutex. */
static struct entry *get(struct clients *clients, const struct client *client)
{
    struct entry *entry = find(clients, client);
    size_t bucket = bucket_for(client);

    if (entry != NULL) {
        return entry;
    }
    if (clients->count >= CLIENTS_MAX) {
        remove_oldest(clients);
    }
    entry = calloc(1, sizeof *entry);
    if (entry != NULL) {
        entry->next = clients->buckets[bucket];
        clients->buckets[bucket] = entry;
        clients->count++;
    }
    return entry;
}

bool clients_seen(struct clients *clients, const struct client *client)
{
    int64_t now = clock_monotonic_us();
    struct entry *entry;
    bool record = false; /* out of memory: nothing to record */

    pthread_mutex_lock(&clients->mutex);
    entry = get(clients, client);
    if (entry != NULL) {
        entry->client = *client;
        entry->seen_us = now;
        record = !entry->recorded || now - entry->recorded_us > (int64_t)CLIENT_RECORD_MS * 1000;
        record = record && now >= clients->record_after_us;
    }
    pthread_mutex_unlock(&clients->mutex);
    return record;
}

void clients_recorded(struct clients *clients, const struct client *client)
{
    struct entry *entry;

    pthread_mutex_lock(&clients->mutex);
    entry = find(clients, client);
    if (entry != NULL) {
        entry->recorded = true;
        entry->recorded_us = clock_monotonic_us();
    }
    pthread_mutex_unlock(&clients->mutex);
}

void clients_not_recorded(struct clients *clients)
{
    pthread_mutex_lock(&clients->mutex);
    clients->record_after_us = clock_monotonic_us() + RETRY_US;
    pthread_mutex_unlock(&clients->mutex);
}

void clients_restore(struct clients *clients, const struct client *client)
{
    struct entry *entry;

    pthread_mutex_lock(&clients->mutex);
    entry = get(clients, client);
    if (entry != NULL) { /* not "recorded": its next poll renews the record */
        entry->client = *client;
        entry->seen_us = clock_monotonic_us();
    }
    pthread_mutex_unlock(&clients->mutex);
}

static struct json *cannot_json(const char *cannot)
{
    struct json *list = json_array();

    while (*cannot != '\0') {
        size_t len = strcspn(cannot, ",");

        json_append(list, json_string_n(cannot, len));
        cannot += len + (cannot[len] == ',');
    }
    return list;
}

static struct json *entry_json(const struct entry *entry, int64_t now_us)
{
    struct json *out = json_object();
    int64_t ago_us = now_us - entry->seen_us;
    char seen[CLOCK_TEXT_BYTES];

    json_put_text(out, "name", entry->client.name);
    json_put_text(out, "instance", entry->client.instance);
    json_put_text(out, "kind", client_kind_name(entry->client.kind));
    json_put_number(out, "epoch", (double)entry->client.epoch);
    json_put_number(out, "revision", (double)entry->client.revision);
    json_put_text(out, "last_seen", clock_text(clock_wall_ms() - ago_us / 1000, seen));
    json_put_number(out, "seconds_ago", (double)ago_us / 1000000);
    json_put_bool(out, "lease", entry->client.lease);
    if (entry->client.cannot[0] != '\0') {
        json_put(out, "cannot_evaluate", cannot_json(entry->client.cannot));
    }
    return out;
}

size_t clients_within(struct clients *clients, int64_t s)
{
    int64_t now = clock_monotonic_us();
    size_t count = 0;

    pthread_mutex_lock(&clients->mutex);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry = clients->buckets[i]; entry != NULL; entry = entry->next) {
            count += now - entry->seen_us <= s * 1000000;
        }
    }
    pthread_mutex_unlock(&clients->mutex);
    return count;
}

static int newest_first(const void *a, const void *b)
{
    const struct entry *const *left = a;
    const struct entry *const *right = b;

    return ((*left)->seen_us < (*right)->seen_us) - ((*left)->seen_us > (*right)->seen_us);
}

struct json *clients_json(struct clients *clients)
{
    struct json *out = json_object();
    struct json *list = json_array();
    int64_t now = clock_monotonic_us();
    struct entry **sorted;
    size_t count = 0;

    pthread_mutex_lock(&clients->mutex);
    sorted = calloc(clients->count + 1, sizeof(struct entry *));
    for (size_t i = 0; i < BUCKETS && sorted != NULL; i++) {
        for (struct entry *entry = clients->buckets[i]; entry != NULL; entry = entry->next) {
            if (now - entry->seen_us <= (int64_t)CLIENT_RECORD_MS * 1000) {
                sorted[count++] = entry;
            }
        }
    }
    if (count > 0) {
        qsort(sorted, count, sizeof(struct entry *), newest_first);
    }
    for (size_t i = 0; i < count; i++) {
        json_append(list, entry_json(sorted[i], now));
    }
    pthread_mutex_unlock(&clients->mutex);
    free(sorted);
    json_put(out, "clients", list);
    return out;
}

static void append_client(struct json *list, const struct entry *entry, int64_t now_us,
                          bool confirmed)
{
    struct json *one = entry_json(entry, now_us);

    json_put_bool(one, "confirmed", confirmed);
    json_append(list, one);
}

/* Another epoch, older or newer, is not the line of changes that the flag is on. */
static bool has_confirmed(const struct client *client, int64_t epoch, int64_t revision)
{
    return client->kind == CLIENT_SDK && client->epoch == epoch && client->revision >= revision;
}

static bool counts(const struct client *client, const struct lease_terms *terms, int64_t silent_us)
{
    return client->kind == CLIENT_SDK && (silent_us <= (int64_t)CLIENT_WINDOW_MIN_S * 1000000 ||
                                          !lease_is_gone(terms, silent_us));
}

bool client_is_behind(const struct client *client, int64_t epoch, int64_t revision,
                      const struct lease_terms *terms, int64_t silent_us)
{
    return counts(client, terms, silent_us) && !has_confirmed(client, epoch, revision);
}

bool client_cannot(const struct client *client, const char *flag)
{
    size_t wanted = strlen(flag);

    for (const char *at = client->cannot; *at != '\0';) {
        size_t len = strcspn(at, ",");

        if ((len == wanted && memcmp(at, flag, len) == 0) || (len == 1 && *at == '*')) {
            return true;
        }
        at += len + (at[len] == ',');
    }
    return false;
}

void clients_facts(struct clients *clients, const char *flag, int64_t epoch, int64_t revision,
                   int64_t lease_s, struct json *facts)
{
    struct json *behind = json_array();
    struct json *no_lease = json_array();
    struct lease_terms terms = lease_terms_of(lease_s);
    int64_t now = clock_monotonic_us();
    double count = 0;

    pthread_mutex_lock(&clients->mutex);
    for (size_t i = 0; i < BUCKETS; i++) {
        for (struct entry *entry = clients->buckets[i]; entry != NULL; entry = entry->next) {
            const struct client *client = &entry->client;
            int64_t ago_us = now - entry->seen_us;
            bool cannot = client_cannot(client, flag);
            bool confirmed = has_confirmed(client, epoch, revision) && !cannot;

            if (!client->lease && ago_us <= (int64_t)CLIENT_RECORD_MS * 1000) {
                append_client(no_lease, entry, now, confirmed);
            }
            count += counts(client, &terms, ago_us);
            if (client_is_behind(client, epoch, revision, &terms, ago_us) ||
                (cannot && counts(client, &terms, ago_us))) {
                append_client(behind, entry, now, confirmed);
            }
        }
    }
    pthread_mutex_unlock(&clients->mutex);
    json_put_number(facts, "clients", count);
    json_put(facts, "clients_behind", behind);
    json_put(facts, "clients_without_lease", no_lease);
}
