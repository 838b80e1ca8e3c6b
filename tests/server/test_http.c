/*
 * The HTTP layer alone, with a handler of the test's own: many connections, bounds, the worker, and
 * that a stop answers what was accepted.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/http.h"
#include "server/listen.h"
#include "tests/server/wire.h"

static atomic_int handled, released;

static void release(void *owner)
{
    atomic_fetch_add((atomic_int *)owner, 1);
}

static void set_body(struct http_reply *reply, enum http_body kind, const char *text)
{
    reply->status = 200;
    reply->kind = kind;
    reply->body = text;
    reply->body_len = strlen(text);
    reply->content_type = "text/plain";
}

static enum http_verdict answer(void *ctx, struct http_request *request, struct http_reply *reply)
{
    (void)ctx;
    if (request->refused != 0) {
        set_body(reply, HTTP_BODY_STATIC, "refused");
        reply->status = request->refused;
        return HTTP_REPLY;
    }
    if (strcmp(request->path, "/later") == 0 || strcmp(request->path, "/slow") == 0) {
        if (!request->on_worker) {
            return HTTP_DEFER;
        }
        clock_sleep_us(strcmp(request->path, "/slow") == 0 ? 200000 : 1000);
        set_body(reply, HTTP_BODY_STATIC, "later");
    } else if (strcmp(request->path, "/echo") == 0) {
        set_body(reply, HTTP_BODY_COPY, request->body.at);
        reply->body_len = request->body.len;
    } else if (strcmp(request->path, "/size") == 0) {
        set_body(reply, HTTP_BODY_COPY, arena_print(request->arena, "%zu", request->body.len));
    } else if (strcmp(request->path, "/shared") == 0) {
        set_body(reply, HTTP_BODY_SHARED, "shared");
        reply->release = release;
        reply->owner = &released;
    } else if (strcmp(request->path, "/heap") == 0) {
        set_body(reply, HTTP_BODY_HEAP, strdup("heap"));
    } else if (strcmp(request->path, "/query") == 0) {
        const char *a = http_query(request, "a");

        set_body(reply, HTTP_BODY_COPY,
                 arena_print(request->arena, "%s", a != NULL ? a : "(none)"));
    } else if (strcmp(request->path, "/none") == 0) {
        reply->status = 204;
    } else {
        set_body(reply, HTTP_BODY_COPY, arena_print(request->arena, "%s", request->path));
    }
    atomic_fetch_add(&handled, 1);
    return HTTP_REPLY;
}

static int start(void **state)
{
    struct http_options options = {.handle = answer};
    struct http_server *server;
    struct err err = {0};

    if (http_start(&options, &server, &err) != ERR_OK) {
        print_error("%s\n", err.msg);
        return -1;
    }
    *state = server;
    return 0;
}

static int stop(void **state)
{
    http_stop(*state);
    return 0;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

/* 128 is where an epoll thread inside libmicrohttpd stands still. */
static void crowds_are_answered(void **state)
{
    static const unsigned sizes[] = {1, 127, 128, 129, 256, 512};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int took_ms;
        unsigned answered =
            wire_crowd(http_port(*state), sizes[i], 4, GET("/heap"), 10000, &took_ms);

        assert_int_equal(answered, sizes[i] * 4);
        print_message("%u connections, 4 requests each: %d ms\n", sizes[i], took_ms);
    }
}

static void crowds_on_the_worker_are_answered(void **state)
{
    int took_ms;

    assert_int_equal(wire_crowd(http_port(*state), 512, 2, GET("/later"), 20000, &took_ms), 1024);
}

static void bodies_of_every_kind_arrive(void **state)
{
    unsigned port = http_port(*state);
    struct wire_reply reply;
    int before = atomic_load(&released);

    wire_ask(port, GET("/shared"), &reply);
    assert_string_equal(reply.body, "shared");
    wire_ask(port, GET("/heap"), &reply);
    assert_string_equal(reply.body, "heap");
    wire_ask(port, GET("/later"), &reply);
    assert_string_equal(reply.body, "later");
    wire_ask(port, GET("/none"), &reply);
    assert_int_equal(reply.status, 204);
    wire_ask(port,
             "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
             "2\r\nde\r\n0\r\n\r\n",
             &reply);
    assert_string_equal(reply.body, "abcde");
    for (int i = 0; i < 200 && atomic_load(&released) == before; i++) {
        clock_sleep_us(5000);
    }
    assert_int_equal(atomic_load(&released), before + 1);
}

static void head_has_no_body(void **state)
{
    int fd = wire_connect(http_port(*state));
    struct wire_reply reply;

    wire_text(fd, "HEAD /heap HTTP/1.1\r\nHost: x\r\n\r\n");
    wire_read_head(fd, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(wire_header(&reply, "Content-Length"), "4");
    wire_text(fd, GET("/query?a=1")); /* nothing of a body stands in between */
    wire_read(fd, &reply);
    assert_string_equal(reply.body, "1");
    (void)close(fd);
}

static void send_sized(unsigned port, size_t size, bool chunked, struct wire_reply *reply)
{
    int fd = wire_connect(port);
    char head[200];
    char *body = malloc(size + 1);

    memset(body, 'x', size);
    if (chunked) {
        wire_text(fd, "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        snprintf(head, sizeof head, "%zx\r\n", size);
        wire_text(fd, head);
        wire_send(fd, body, size);
        wire_text(fd, "\r\n0\r\n\r\n");
    } else {
        snprintf(head, sizeof head, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 size);
        wire_text(fd, head);
        wire_send(fd, body, size);
    }
    wire_read(fd, reply);
    free(body);
    (void)close(fd);
}

static void a_body_has_a_bound(void **state)
{
    unsigned port = http_port(*state);
    struct wire_reply reply;
    char size[32];

    snprintf(size, sizeof size, "%u", LIMIT_BODY_BYTES);
    for (int chunked = 0; chunked < 2; chunked++) {
        send_sized(port, LIMIT_BODY_BYTES, chunked, &reply);
        assert_int_equal(reply.status, 200);
        assert_string_equal(reply.body, size);
        send_sized(port, LIMIT_BODY_BYTES + 1, chunked, &reply);
        assert_int_equal(reply.status, 413);
        send_sized(port, 0, chunked, &reply);
        assert_string_equal(reply.body, "0");
    }
    /* Announced to be without end: refused before it is sent. */
    wire_ask(port, "POST /size HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", &reply);
    assert_int_equal(reply.status, 413);
}

static void a_url_has_a_bound(void **state)
{
    struct wire_reply reply;
    char request[LIMIT_URL_BYTES + 100];
    char path[LIMIT_URL_BYTES + 2];

    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[LIMIT_URL_BYTES] = '\0';
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    wire_ask(http_port(*state), request, &reply);
    assert_int_equal(reply.status, 200);
    path[LIMIT_URL_BYTES] = 'a';
    path[LIMIT_URL_BYTES + 1] = '\0';
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    wire_ask(http_port(*state), request, &reply);
    assert_int_equal(reply.status, 414);
}

static void escapes_are_decoded_but_nul(void **state)
{
    unsigned port = http_port(*state);
    struct wire_reply reply;

    wire_ask(port, GET("/a%20b%2fc%C3%A9"), &reply);
    assert_string_equal(reply.body, "/a b/c\xc3\xa9");
    wire_ask(port, GET("/heap%00x"), &reply);
    assert_string_equal(reply.body, "/heap%00x");
    wire_ask(port, GET("/x%zz%4"), &reply);
    assert_string_equal(reply.body, "/x%zz%4");
    wire_ask(port, GET("/query?b=2&a=x%2By+z"), &reply);
    assert_string_equal(reply.body, "x+y z");
    wire_ask(port, GET("/query"), &reply);
    assert_string_equal(reply.body, "(none)");
}

static void ids_are_taken_over_or_made(void **state)
{
    unsigned port = http_port(*state);
    struct wire_reply reply;
    char first[100];

    wire_ask(port, "GET /x HTTP/1.1\r\nHost: x\r\nX-Request-Id: abc-1.2\r\n\r\n", &reply);
    assert_string_equal(wire_header(&reply, "X-Request-Id"), "abc-1.2");
    wire_ask(port, "GET /x HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\"b\r\n\r\n", &reply);
    snprintf(first, sizeof first, "%s", wire_header(&reply, "X-Request-Id"));
    assert_null(strchr(first, '"'));
    assert_true(strlen(first) > 10);
    wire_ask(port, GET("/x"), &reply);
    assert_string_not_equal(wire_header(&reply, "X-Request-Id"), first);
}

/* A proxy in front could see another end of the request than we do, and the rest of one client's
 * body would be taken for the next client's request. */
static void a_request_has_one_end(void **state)
{
    static const char *const framed[] = {
        "Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Content-Length : 2\r\n\r\n{}",
        "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
    };
    static const char next[] = "GET /none HTTP/1.1\r\nHost: x\r\n\r\n";
    struct wire_reply reply;

    for (size_t i = 0; i < sizeof framed / sizeof framed[0]; i++) {
        int fd = wire_connect(http_port(*state));

        wire_text(fd, "POST /size HTTP/1.1\r\nHost: x\r\n");
        wire_text(fd, framed[i]);
        wire_text(fd, next);
        wire_read(fd, &reply);
        if (reply.status != 400) {
            fail_msg("%d instead of 400: %s", reply.status, framed[i]);
        }
        assert_string_equal(wire_header(&reply, "Connection"), "close");
        wire_read(fd, &reply);
        assert_int_equal(reply.status, 0); /* what followed is not a request */
        (void)close(fd);
    }
    wire_ask(
        http_port(*state),
        "POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        &reply);
    assert_string_equal(reply.body, "2");
}

static void broken_requests_harm_nobody(void **state)
{
    static const char *const broken[] = {
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: x\r\n",
        "\r\n\r\n\r\n",
        "GET /\x01 HTTP/9.9\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    };
    struct wire_reply reply;

    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        int fd = wire_connect(http_port(*state));

        assert_true(fd >= 0);
        wire_text(fd, broken[i]);
        (void)close(fd); /* without waiting for an answer */
    }
    wire_ask(http_port(*state), GET("/heap"), &reply);
    assert_string_equal(reply.body, "heap");
}

static void the_worker_does_not_hold_up_loops(void **state)
{
    unsigned port = http_port(*state);
    enum { SLOW = 10 }; /* 2 s of work; on two loops they would be blocked for 1 s */
    int slow[SLOW];
    struct wire_reply reply;
    int64_t began;

    for (int i = 0; i < SLOW; i++) {
        slow[i] = wire_connect(port);
        wire_text(slow[i], GET("/slow"));
    }
    clock_sleep_us(50000);
    began = clock_monotonic_us();
    for (int i = 0; i < 20; i++) {
        wire_ask(port, GET("/heap"), &reply);
        assert_int_equal(reply.status, 200);
    }
    assert_true(clock_monotonic_us() - began < 800000);
    for (int i = 0; i < SLOW; i++) {
        wire_read(slow[i], &reply);
        assert_string_equal(reply.body, "later");
        (void)close(slow[i]);
    }
}

static void *stop_in_background(void *server)
{
    http_stop(server);
    return NULL;
}

static void a_stop_answers_what_was_accepted(void **state)
{
    struct http_server *server;
    int slow[5], idle, half, late[50];
    struct wire_reply reply;
    pthread_t thread;
    unsigned port;
    int refused;

    assert_int_equal(start(state), 0);
    server = *state;
    port = http_port(server);
    idle = wire_connect(port);
    half = wire_connect(port);
    wire_text(half, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab");
    for (int i = 0; i < 5; i++) {
        slow[i] = wire_connect(port);
        wire_text(slow[i], GET("/slow"));
    }
    clock_sleep_us(100000);
    for (int i = 0; i < 50; i++) { /* in the kernel's queue, perhaps, when the stop comes */
        late[i] = wire_connect(port);
        wire_text(late[i], GET("/heap"));
    }
    pthread_create(&thread, NULL, stop_in_background, server);
    clock_sleep_us(200000);
    wire_text(half, "cd");
    wire_read(half, &reply);
    assert_string_equal(reply.body, "abcd");
    assert_string_equal(wire_header(&reply, "Connection"), "close");
    for (int i = 0; i < 50; i++) {
        wire_read(late[i], &reply);
        assert_string_equal(reply.body, "heap");
        (void)close(late[i]);
    }
    refused = wire_connect(port);
    assert_int_equal(refused, -1);
    for (int i = 0; i < 5; i++) {
        wire_read(slow[i], &reply);
        assert_string_equal(reply.body, "later");
        (void)close(slow[i]);
    }
    pthread_join(thread, NULL);
    wire_read(idle, &reply);
    assert_int_equal(reply.status, 0); /* closed */
    (void)close(idle);
    (void)close(half);
}

static void a_port_is_nobody_elses(void **state)
{
    struct http_options options = {.handle = answer, .port = http_port(*state)};
    struct http_server *second = NULL;
    struct err err = {0};

    assert_int_equal(http_start(&options, &second, &err), ERR_IO);
    assert_non_null(strstr(err.msg, "in use"));
    assert_null(second);
}

static void addresses_are_parsed(void **state)
{
    static const struct {
        const char *text, *address;
        int port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {":0", "", 0},
        {"[::1]:65535", "::1", 65535},
        {"127.0.0.1", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"x:70000", NULL, 0},
        {"x:1x", NULL, 0},
        {"", NULL, 0},
        {":-1", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char address[LISTEN_ADDRESS_BYTES];
        unsigned port = 1;
        struct err err = {0};
        enum err_code rc = listen_parse(cases[i].text, address, &port, &err);

        if (cases[i].address == NULL) {
            assert_int_equal(rc, ERR_INVALID);
        } else {
            assert_int_equal(rc, ERR_OK);
            assert_string_equal(address, cases[i].address);
            assert_int_equal(port, cases[i].port);
        }
    }
    {
        struct http_options options = {.handle = answer, .address = "localhost"};
        struct http_server *server = NULL;
        struct err err = {0};

        assert_int_equal(http_start(&options, &server, &err), ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowds_are_answered),
        cmocka_unit_test(crowds_on_the_worker_are_answered),
        cmocka_unit_test(bodies_of_every_kind_arrive),
        cmocka_unit_test(head_has_no_body),
        cmocka_unit_test(a_body_has_a_bound),
        cmocka_unit_test(a_url_has_a_bound),
        cmocka_unit_test(escapes_are_decoded_but_nul),
        cmocka_unit_test(ids_are_taken_over_or_made),
        cmocka_unit_test(a_request_has_one_end),
        cmocka_unit_test(broken_requests_harm_nobody),
        cmocka_unit_test(the_worker_does_not_hold_up_loops),
        cmocka_unit_test(a_port_is_nobody_elses),
        cmocka_unit_test(addresses_are_parsed),
        cmocka_unit_test(a_stop_answers_what_was_accepted),
    };

    return cmocka_run_group_tests_name("http", tests, start, stop);
}
