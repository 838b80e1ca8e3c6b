#include "tests/migrator/flag_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_BYTES = 16384, TOLD_BYTES = 4000, BODY_BYTES = 2000 };

static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    int socket;
    char url[60], facts[BODY_BYTES], refused[60], refusal[BODY_BYTES], told[TOLD_BYTES];
    char migration[400];  /* what it was told, as a member of "migrations" */
    char environment[80]; /* what all requests said; "?" where they did not agree */
    int status, in_order;
    int64_t sequence;
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER, .socket = -1};

/* The whole request, as far as Content-Length says. */
static void take(int client, char text[REQUEST_BYTES])
{
    size_t len = 0, wanted = 0;
    ssize_t got;

    text[0] = '\0';
    while (len + 1 < REQUEST_BYTES &&
           (got = read(client, text + len, REQUEST_BYTES - 1 - len)) > 0) {
        const char *end, *length;

        len += (size_t)got;
        text[len] = '\0';
        end = strstr(text, "\r\n\r\n");
        length = strstr(text, "Content-Length: ");
        wanted = end == NULL
                     ? REQUEST_BYTES
                     : (size_t)(end + 4 - text) +
                           (length != NULL && length < end ? strtoul(length + 16, NULL, 10) : 0);
        if (len >= wanted) {
            break;
        }
    }
}

static void note(const char *message, const char *text)
{
    const char *at = strstr(text, "\"sequence\":");
    const char *query = strstr(text, "?sequence=");
    int64_t sequence = at != NULL      ? strtoll(at + 11, NULL, 10)
                       : query != NULL ? strtoll(query + 10, NULL, 10)
                                       : 0;
    size_t len = strlen(peer.told);

    peer.in_order = peer.in_order && sequence > peer.sequence;
    peer.sequence = sequence;
    snprintf(peer.told + len, sizeof peer.told - len, "%s; ", message);
}

static void name_message(const char *text, char out[60])
{
    const char *state = strstr(text, "\"state\":\"");
    size_t verb = strcspn(text, " ");

    snprintf(out, 60, "%.*s", (int)(verb < 10 ? verb : 10), text);
    if (state != NULL) {
        size_t len = strlen(out);

        snprintf(out + len, 60 - len, " %.*s", (int)strcspn(state + 9, "\""), state + 9);
    }
}

/* "PUT /api/v1/migrations/ID/NAME HTTP/1.1" */
static void believe(const char *message, const char *text)
{
    char id[100] = "", name[100] = "";

    if (sscanf(text, "PUT /api/v1/migrations/%99[^/]/%99[^ ] ", id, name) == 2) {
        snprintf(peer.migration, sizeof peer.migration,
                 "{\"database_id\":\"%s\",\"migration\":\"%s\",\"state\":\"%s\",\"sequence\":%lld}",
                 id, name, message + strlen("PUT "), (long long)peer.sequence);
    }
}

static void note_environment(const char *text)
{
    const char *at = strstr(text, "X-Lockstep-Environment: ");
    char said[80] = "none";

    if (at != NULL) {
        at += strlen("X-Lockstep-Environment: ");
        snprintf(said, sizeof said, "%.*s", (int)strcspn(at, "\r\n"), at);
    }
    snprintf(peer.environment, sizeof peer.environment, "%s",
             peer.environment[0] == '\0' || strcmp(peer.environment, said) == 0 ? said : "?");
}

static void answer(int client, const char *text)
{
    char message[60], reply[BODY_BYTES + 900], body[BODY_BYTES + 600] = "{}";
    int status = 200;

    name_message(text, message);
    pthread_mutex_lock(&peer.lock);
    note_environment(text);
    if (strncmp(text, "GET", 3) == 0) {
        snprintf(body, sizeof body, "{\"facts\":{\"flag\":%s},\"revision\":9,\"migrations\":[%s]}",
                 peer.facts, peer.migration);
    } else {
        note(message, text);
        if (peer.refused[0] != '\0' && strncmp(message, peer.refused, strlen(peer.refused)) == 0) {
            status = peer.status;
            snprintf(body, sizeof body, "%s", peer.refusal);
        } else {
            believe(message, text);
        }
    }
    pthread_mutex_unlock(&peer.lock);
    snprintf(reply, sizeof reply,
             "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
             "Connection: close\r\n\r\n%s",
             status, strlen(body), body);
    if (write(client, reply, strlen(reply)) < 0) {
        /* the migrator is gone: the test sees it elsewhere */
    }
}

static void *serve(void *unused)
{
    static char text[REQUEST_BYTES];
    int client;

    (void)unused;
    while ((client = accept(peer.socket, NULL, NULL)) >= 0) {
        take(client, text);
        if (text[0] != '\0') {
            answer(client, text);
        }
        close(client);
    }
    return NULL;
}

const char *flag_peer_start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    peer.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (peer.socket < 0 || bind(peer.socket, (struct sockaddr *)&address, size) != 0 ||
        listen(peer.socket, 16) != 0 ||
        getsockname(peer.socket, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&peer.thread, NULL, serve, NULL) != 0) {
        return NULL;
    }
    snprintf(peer.url, sizeof peer.url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    flag_peer_forget();
    return peer.url;
}

void flag_peer_stop(void)
{
    (void)shutdown(peer.socket, SHUT_RDWR);
    close(peer.socket);
    pthread_join(peer.thread, NULL);
}

void flag_peer_reset(void)
{
    pthread_mutex_lock(&peer.lock);
    peer.refused[0] = peer.migration[0] = '\0';
    peer.sequence = 0;
    pthread_mutex_unlock(&peer.lock);
    flag_peer_forget();
}

void flag_peer_facts(const char *facts)
{
    pthread_mutex_lock(&peer.lock);
    snprintf(peer.facts, sizeof peer.facts, "%s", facts);
    pthread_mutex_unlock(&peer.lock);
}

void flag_peer_refuse(const char *message, int status, const char *body)
{
    pthread_mutex_lock(&peer.lock);
    snprintf(peer.refused, sizeof peer.refused, "%s", message);
    snprintf(peer.refusal, sizeof peer.refusal, "%s", body);
    peer.status = status;
    pthread_mutex_unlock(&peer.lock);
}

const char *flag_peer_told(void)
{
    static char told[TOLD_BYTES];

    pthread_mutex_lock(&peer.lock);
    memcpy(told, peer.told, sizeof told);
    pthread_mutex_unlock(&peer.lock);
    return told;
}

void flag_peer_forget(void)
{
    pthread_mutex_lock(&peer.lock);
    peer.told[0] = '\0';
    peer.environment[0] = '\0';
    peer.in_order = 1;
    pthread_mutex_unlock(&peer.lock);
}

int flag_peer_heard_of(const char *environment)
{
    int heard;

    pthread_mutex_lock(&peer.lock);
    heard = strcmp(peer.environment, environment) == 0;
    pthread_mutex_unlock(&peer.lock);
    return heard;
}

int64_t flag_peer_sequence(void)
{
    int64_t sequence;

    pthread_mutex_lock(&peer.lock);
    sequence = peer.sequence;
    pthread_mutex_unlock(&peer.lock);
    return sequence;
}

int flag_peer_in_order(void)
{
    int in_order;

    pthread_mutex_lock(&peer.lock);
    in_order = peer.in_order;
    pthread_mutex_unlock(&peer.lock);
    return in_order;
}
