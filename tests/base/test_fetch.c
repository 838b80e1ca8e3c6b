/* fetch against a server of this test's own: one thread, plain sockets, scripted replies. */
#include "tests/base/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fetch.h"

/* Answers each connection's requests with one text, and keeps the last request. */
struct server {
    int listener;
    unsigned port;
    pthread_t thread;
    const char *reply; /* sent after each request; NULL: nothing is ever sent */
    bool close_after;  /* ends the connection behind the reply */
    atomic_int connections, requests;
    atomic_bool stop;
    pthread_mutex_t lock;
    char request[8192]; /* guarded by lock */
};

static size_t body_bytes(const char *request)
{
    const char *header = strcasestr(request, "\r\nContent-Length:");

    return header != NULL ? (size_t)strtoul(header + 17, NULL, 10) : 0;
}

/* Reads one request into text; false at the end of the connection. */
static bool read_request(struct server *server, int fd, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    while (len + 1 < size) {
        char *end = strstr(text, "\r\n\r\n");
        ssize_t n;

        if (end != NULL && len >= (size_t)(end + 4 - text) + body_bytes(text)) {
            return true;
        }
        n = recv(fd, text + len, size - 1 - len, 0);
        if (n <= 0 || atomic_load(&server->stop)) {
            return false;
        }
        len += (size_t)n;
        text[len] = '\0';
    }
    return false;
}

static void serve(struct server *server, int fd)
{
    char text[8192];

    while (read_request(server, fd, text, sizeof text)) {
        pthread_mutex_lock(&server->lock);
        memcpy(server->request, text, sizeof text);
        pthread_mutex_unlock(&server->lock);
        atomic_fetch_add(&server->requests, 1);
        if (server->reply == NULL) {
            while (!atomic_load(&server->stop)) {
                clock_sleep_us(2000);
            }
            return;
        }
        (void)send(fd, server->reply, strlen(server->reply), MSG_NOSIGNAL);
        if (server->close_after) {
            return;
        }
    }
}

static void *run_server(void *ctx)
{
    struct server *server = ctx;

    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0 || atomic_load(&server->stop)) {
            if (fd >= 0) {
                close(fd);
            }
            return NULL;
        }
        atomic_fetch_add(&server->connections, 1);
        serve(server, fd);
        close(fd);
    }
}

static void server_start(struct server *server, const char *reply)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    memset(server, 0, sizeof *server);
    server->reply = reply;
    pthread_mutex_init(&server->lock, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(server->listener, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(server->listener, 8) == 0);
    CHECK(getsockname(server->listener, (struct sockaddr *)&address, &size) == 0);
    server->port = ntohs(address.sin_port);
    CHECK(pthread_create(&server->thread, NULL, run_server, server) == 0);
}

static void server_stop(struct server *server)
{
    atomic_store(&server->stop, true);
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    pthread_mutex_destroy(&server->lock);
}

/* One exchange with a server that answers reply; the caller ends *got if it is ERR_OK. */
static enum err_code once(const char *reply, bool close_after, struct fetch_request request,
                          struct fetch_reply *got, struct err *err, char seen[8192])
{
    struct fetch *fetch = fetch_new();
    struct server server;
    enum err_code rc;
    char url[64];

    assert_non_null(fetch);
    server_start(&server, reply);
    server.close_after = close_after;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/a/b?c=d", server.port);
    request.url = url;
    request.method = request.method != NULL ? request.method : "GET";
    rc = fetch_send(fetch, &request, got, err);
    fetch_free(fetch);
    server_stop(&server);
    if (seen != NULL) {
        memcpy(seen, server.request, 8192);
    }
    return rc;
}

static void a_reply_with_its_headers(void **state)
{
    char seen[8192];
    struct fetch_reply reply;
    struct err err;

    (void)state;
    assert_int_equal(
        once("HTTP/1.1 200 OK\r\nETag: \"1-17\"\r\nDate: Sat, 21 Nov 2026 08:30:00 "
             "GMT\r\nretry-after:  7 \r\nContent-Length: 13\r\n\r\n{\"a\":\"b\"}\n\n\n\n",
             false, (struct fetch_request){.bearer = "secret", .if_none_match = "\"1-16\""}, &reply,
             &err, seen),
        ERR_OK);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "{\"a\":\"b\"}\n\n\n\n");
    assert_int_equal(reply.body_len, 13);
    assert_string_equal(reply.etag, "\"1-17\"");
    assert_string_equal(reply.date_header, "Sat, 21 Nov 2026 08:30:00 GMT");
    assert_int_equal(reply.retry_after_s, 7);
    fetch_reply_fini(&reply);
    assert_non_null(strstr(seen, "GET /a/b?c=d HTTP/1.1\r\n"));
    assert_non_null(strstr(seen, "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(seen, "\r\nIf-None-Match: \"1-16\"\r\n"));
    assert_null(strstr(seen, "Content-Type"));
}

static void bodies_and_methods(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE"};
    static const char *const headers[] = {"X-Lockstep-Client: logger", NULL};
    char seen[8192], line[40];
    struct fetch_reply reply;

    (void)state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        assert_int_equal(once("HTTP/1.1 204 No Content\r\n\r\n", true,
                              (struct fetch_request){.method = methods[i],
                                                     .body = "{\"x\":1}ignored",
                                                     .body_len = 7,
                                                     .if_match = "\"3\"",
                                                     .headers = headers},
                              &reply, NULL, seen),
                         ERR_OK);
        assert_int_equal(reply.status, 204);
        assert_string_equal(reply.body, "");
        assert_string_equal(reply.etag, "");
        assert_int_equal(reply.retry_after_s, -1);
        fetch_reply_fini(&reply);
        snprintf(line, sizeof line, "%s /a/b?c=d HTTP/1.1\r\n", methods[i]);
        assert_ptr_equal(strstr(seen, line), seen);
        assert_non_null(strstr(seen, "\r\nContent-Type: application/json\r\n"));
        assert_non_null(strstr(seen, "\r\nIf-Match: \"3\"\r\n"));
        assert_non_null(strstr(seen, "\r\nX-Lockstep-Client: logger\r\n"));
        assert_null(strstr(seen, "Expect:"));
        assert_string_equal(strstr(seen, "\r\n\r\n"), "\r\n\r\n{\"x\":1}");
    }
    for (int i = 0; i < 2;
         i++) { /* a type of its own, or none: what an object store's URL is for */
        assert_int_equal(once("HTTP/1.1 200 OK\r\nETag: \"x\"\r\n\r\n", true,
                              (struct fetch_request){.method = "PUT",
                                                     .body = "SELECT 1",
                                                     .body_len = 8,
                                                     .body_type = i == 0 ? "application/sql" : ""},
                              &reply, NULL, seen),
                         ERR_OK);
        fetch_reply_fini(&reply);
        assert_int_equal(strcasestr(seen, "content-type: application/sql\r\n") != NULL, i == 0);
        assert_int_equal(strcasestr(seen, "content-type:") != NULL, i == 0);
    }
    assert_int_equal(once("HTTP/1.1 204 No Content\r\n\r\n", true,
                          (struct fetch_request){.method = "DELETE"}, &reply, NULL, seen),
                     ERR_OK);
    assert_ptr_equal(strstr(seen, "DELETE "), seen);
    fetch_reply_fini(&reply);
}

static void any_status_is_a_reply_and_none_is_followed(void **state)
{
    struct fetch_reply reply;
    char seen[8192];

    (void)state;
    assert_int_equal(once("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
                          "Content-Length: 0\r\n\r\n",
                          false, (struct fetch_request){.bearer = "t"}, &reply, NULL, seen),
                     ERR_OK);
    assert_int_equal(reply.status, 302);
    fetch_reply_fini(&reply);
    assert_int_equal(once("HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n"
                          "Content-Length: 2\r\n\r\nno",
                          false, (struct fetch_request){0}, &reply, NULL, seen),
                     ERR_OK);
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after_s, -1); /* a date: left to the caller's own pause */
    assert_string_equal(reply.body, "no");
    fetch_reply_fini(&reply);
}

static void replies_are_bounded(void **state)
{
    static const char chunked[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "6\r\n123456\r\n0\r\n\r\n";
    struct fetch_reply reply;
    struct err err;

    (void)state;
    assert_int_equal(
        once(chunked, false, (struct fetch_request){.reply_bytes_max = 6}, &reply, &err, NULL),
        ERR_OK);
    assert_string_equal(reply.body, "123456");
    fetch_reply_fini(&reply);
    assert_int_equal(
        once(chunked, false, (struct fetch_request){.reply_bytes_max = 5}, &reply, &err, NULL),
        ERR_LIMIT);
    assert_non_null(strstr(err.msg, "the reply is larger than 5 bytes"));
}

static void cut_off_and_garbage(void **state)
{
    static const char *const replies[] = {
        "",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        struct fetch_reply untouched = {.status = -7};
        struct err err = {0};

        assert_int_equal(once(replies[i], true, (struct fetch_request){.bearer = "secret"},
                              &untouched, &err, NULL),
                         ERR_IO);
        assert_ptr_equal(strstr(err.msg, "127.0.0.1:"), err.msg); /* says who */
        assert_null(strstr(err.msg, "secret"));
        assert_int_equal(untouched.status, -7);
    }
}

static void a_time_limit(void **state)
{
    int64_t started = clock_monotonic_us();
    struct fetch_reply reply;
    struct err err;

    (void)state;
    assert_int_equal(
        once(NULL, false, (struct fetch_request){.timeout_ms = 150}, &reply, &err, NULL),
        ERR_TIMEOUT);
    assert_non_null(strstr(err.msg, "no answer in time"));
    assert_true(clock_monotonic_us() - started < 5000000);
}

static void *cancel_soon(void *ctx)
{
    clock_sleep_us(100000);
    atomic_store((atomic_bool *)ctx, true);
    return NULL;
}

static void cancelled_from_another_thread(void **state)
{
    int64_t started = clock_monotonic_us();
    atomic_bool cancel = false;
    struct fetch_reply reply;
    pthread_t thread;
    struct err err;

    (void)state;
    CHECK(pthread_create(&thread, NULL, cancel_soon, &cancel) == 0);
    assert_int_equal(once(NULL, false,
                          (struct fetch_request){.timeout_ms = 20000, .cancel = &cancel}, &reply,
                          &err, NULL),
                     ERR_TIMEOUT);
    pthread_join(thread, NULL);
    assert_non_null(strstr(err.msg, "cancelled"));
    assert_true(clock_monotonic_us() - started < 2000000); /* 100 ms, 100 ms more to look */
}

static void one_connection_is_kept(void **state)
{
    struct fetch *fetch = fetch_new();
    struct server server;
    char url[64];

    (void)state;
    server_start(&server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server.port);
    for (int i = 0; i < 10; i++) {
        struct fetch_request request = {.method = i % 2 == 0 ? "GET" : "POST", .url = url};
        struct fetch_reply reply;

        assert_int_equal(fetch_send(fetch, &request, &reply, NULL), ERR_OK);
        assert_string_equal(reply.body, "ok");
        fetch_reply_fini(&reply);
    }
    assert_int_equal(atomic_load(&server.requests), 10);
    assert_int_equal(atomic_load(&server.connections), 1);
    fetch_free(fetch);
    server_stop(&server);
}

static void a_proxy_is_not_asked_for_loopback(void **state)
{
    struct fetch_reply reply;

    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false,
                          (struct fetch_request){0}, &reply, NULL, NULL),
                     ERR_OK);
    fetch_reply_fini(&reply);
    unsetenv("http_proxy");
}

static void nobody_listens(void **state)
{
    struct fetch *fetch = fetch_new();
    struct fetch_request request = {.method = "GET", .url = "http://127.0.0.1:1/"};
    struct fetch_reply reply;
    struct err err;

    (void)state;
    assert_int_equal(fetch_send(fetch, &request, &reply, &err), ERR_IO);
    assert_ptr_equal(strstr(err.msg, "127.0.0.1:1: "), err.msg);
    fetch_free(fetch);
    fetch_free(NULL);
}

static void what_is_no_url_is_invalid(void **state)
{
    static const char *const urls[] = {"file:///etc/hostname", "ftp://127.0.0.1/", "", "http://",
                                       "http://a b/"};
    struct fetch *fetch = fetch_new();

    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        struct fetch_request request = {.method = "GET", .url = urls[i]};
        struct fetch_reply reply;
        struct err err = {0};

        assert_int_equal(fetch_send(fetch, &request, &reply, &err), ERR_INVALID);
        assert_non_null(strstr(err.msg, "http://HOST:PORT"));
    }
    fetch_free(fetch);
}

static void headers_cannot_be_smuggled(void **state)
{
    static const char *const headers[] = {"X: a\r\nY: b", NULL};
    const struct fetch_request requests[] = {{.bearer = "t\r\nX: y"},
                                             {.if_match = "\"\n"},
                                             {.if_none_match = "a\rb"},
                                             {.headers = headers}};
    struct fetch_reply reply;
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        assert_int_equal(once("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, requests[i],
                              &reply, &err, NULL),
                         ERR_INVALID);
        assert_string_equal(err.msg, "a header value may not hold a line end");
    }
}

static void texts_for_urls(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"read-customer_domain.v2~", "read-customer_domain.v2~"},
        {"a b/c?d&e=f%", "a%20b%2Fc%3Fd%26e%3Df%25"},
        {"\xC3\xA9\x01", "%C3%A9%01"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *escaped = fetch_url_escape(rows[i][0]);
        assert_string_equal(escaped, rows[i][1]);
        free(escaped);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_with_its_headers),
        cmocka_unit_test(bodies_and_methods),
        cmocka_unit_test(any_status_is_a_reply_and_none_is_followed),
        cmocka_unit_test(replies_are_bounded),
        cmocka_unit_test(cut_off_and_garbage),
        cmocka_unit_test(a_time_limit),
        cmocka_unit_test(cancelled_from_another_thread),
        cmocka_unit_test(one_connection_is_kept),
        cmocka_unit_test(a_proxy_is_not_asked_for_loopback),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(what_is_no_url_is_invalid),
        cmocka_unit_test(headers_cannot_be_smuggled),
        cmocka_unit_test(texts_for_urls),
    };

    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
