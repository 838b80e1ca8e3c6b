/*
 * Clients that never finish a request, on purpose or not: none of them keeps others out.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/http.h"
#include "server/peers.h"
#include "tests/server/wire.h"

#define GET "GET /here HTTP/1.1\r\nHost: x\r\n\r\n"
#define HALF "GET /here HTTP/1.1\r\nHost: x\r\nX-Long: "
#define POST "POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

static enum http_verdict answer(void *ctx, struct http_request *request, struct http_reply *reply)
{
    (void)ctx, (void)request;
    reply->status = 200;
    reply->kind = HTTP_BODY_STATIC;
    reply->body = "here";
    reply->body_len = 4;
    return HTTP_REPLY;
}

static struct http_server *serve(struct http_options options)
{
    struct http_server *server = NULL;
    struct err err = {0};

    options.handle = answer;
    if (http_start(&options, &server, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    return server;
}

/* Whether the other side has ended the connection, or does so within so many ms. */
static bool ended(int fd, int within_ms)
{
    struct pollfd one = {.fd = fd, .events = POLLIN, .revents = 0};
    char byte;

    return poll(&one, 1, within_ms) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) <= 0;
}

static bool answered(int fd)
{
    static struct wire_reply reply;

    wire_read(fd, &reply);
    return reply.status == 200;
}

/* ms until a newcomer has its answer; -1: it gets none. */
static int newcomer_ms(unsigned port)
{
    int64_t began = clock_monotonic_us();
    static struct wire_reply reply;

    wire_ask(port, GET, &reply);
    return reply.status == 200 ? (int)((clock_monotonic_us() - began) / 1000) : -1;
}

static unsigned files_allowed(void)
{
    struct rlimit files;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    return files.rlim_cur > 100000 ? 100000 : (unsigned)files.rlim_cur;
}

static void a_crowd_of_half_sent_requests_keeps_nobody_out(void **state)
{
    unsigned files = files_allowed();
    unsigned count = files > 10400 ? 5000 : (files - 400) / 2; /* we are both sides */
    struct http_server *server = serve((struct http_options){.connections_max = count * 4 / 5});
    int *fds = calloc(count, sizeof *fds);
    unsigned gone = 0;
    int worst_ms = 0;

    (void)state;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = wire_connect(http_port(server));
        assert_true(fds[i] >= 0);
        wire_text(fds[i], HALF);
        if (i % (count / 20) == 0 || i + 20 > count) {
            int ms = newcomer_ms(http_port(server));

            worst_ms = ms < 0 || ms > worst_ms ? ms : worst_ms;
            assert_true(ms >= 0);
        }
    }
    for (int i = 0; i < 10; i++) {
        int ms = newcomer_ms(http_port(server));

        assert_true(ms >= 0);
        worst_ms = ms > worst_ms ? ms : worst_ms;
    }
    print_message("%u half-sent requests: a newcomer waits %d ms at most\n", count, worst_ms);
    assert_true(worst_ms < 2000);
    assert_false(ended(fds[count - 1], 0)); /* the oldest go first */
    for (unsigned i = 0; i < count; i++) {
        gone += ended(fds[i], 0);
        (void)close(fds[i]);
    }
    assert_true(gone >= count / 5);
    free(fds);
    http_stop(server);
}

static void idle_connections_make_room_too(void **state)
{
    struct http_server *server = serve((struct http_options){.connections_max = 64, .loops = 1});
    int fds[100];

    (void)state;
    for (int i = 0; i < 100; i++) {
        fds[i] = wire_connect(http_port(server));
        wire_text(fds[i], GET);
        assert_true(answered(fds[i]));
    }
    assert_true(ended(fds[0], 1000));
    wire_text(fds[99], GET);
    assert_true(answered(fds[99]));
    for (int i = 0; i < 100; i++) {
        (void)close(fds[i]);
    }
    http_stop(server);
}

static void a_head_has_a_deadline(void **state)
{
    struct http_server *server = serve((struct http_options){.head_timeout_s = 1});
    unsigned port = http_port(server);
    int64_t began = clock_monotonic_us();
    int silent = wire_connect(port), dripping = wire_connect(port), idle = wire_connect(port);
    bool open = true;

    (void)state;
    wire_text(idle, GET);
    assert_true(answered(idle));
    wire_text(dripping, HALF);
    while (open && clock_monotonic_us() - began < 5000000) { /* always active, never ready */
        (void)!send(dripping, "x", 1, MSG_NOSIGNAL);
        open = !ended(dripping, 50);
    }
    assert_false(open);
    assert_true(clock_monotonic_us() - began < 3000000);
    assert_true(clock_monotonic_us() - began > 900000);
    assert_true(ended(silent, 1000));
    assert_false(ended(idle, 0)); /* a connection between two requests is not late */
    wire_text(idle, GET);
    assert_true(answered(idle));
    (void)close(silent);
    (void)close(dripping);
    (void)close(idle);
    http_stop(server);
}

static void a_body_has_a_smallest_rate(void **state)
{
    struct http_server *server = serve((struct http_options){.head_timeout_s = 1});
    unsigned port = http_port(server);
    int slow = wire_connect(port), steady = wire_connect(port);
    int64_t began = clock_monotonic_us(), ended_us = 0;
    char piece[6000];
    size_t sent = 0;

    (void)state;
    memset(piece, 'x', sizeof piece);
    wire_text(slow, POST);
    wire_text(steady, POST);
    while (sent < 60000) { /* 20,000 bytes a second; the other 10 */
        (void)!send(slow, "x", 1, MSG_NOSIGNAL);
        wire_send(steady, piece, sizeof piece);
        sent += sizeof piece;
        if (ended(slow, 100) && ended_us == 0) {
            ended_us = clock_monotonic_us() - began;
        }
        clock_sleep_us(200000);
    }
    assert_true(answered(steady));
    assert_true(ended_us > 900000 || ended(slow, 1000));
    (void)close(slow);
    (void)close(steady);
    http_stop(server);
}

static void one_address_has_a_bound(void **state)
{
    /* one loop, so that it sees all of them */
    struct http_server *server = serve((struct http_options){.per_address = 8, .loops = 1});
    unsigned port = http_port(server);
    int half = wire_connect(port), idle[8], more;

    (void)state;
    wire_text(half, HALF);
    for (int i = 0; i < 8; i++) {
        idle[i] = wire_connect(port);
        wire_text(idle[i], GET);
        assert_true(answered(idle[i]));
    }
    assert_true(ended(half, 1000)); /* it makes room for the eighth */
    (void)close(half);
    clock_sleep_us(50000);
    more = wire_connect(port);
    assert_true(more >= 0 && ended(more, 1000)); /* all others have been good */
    (void)close(more);
    (void)close(idle[0]);
    clock_sleep_us(50000);
    assert_true(newcomer_ms(port) >= 0);
    for (int i = 1; i < 8; i++) {
        assert_false(ended(idle[i], 0));
        (void)close(idle[i]);
    }
    http_stop(server);
}

/* ---- the bookkeeping alone, with a clock of its own ---- */

static struct peer *add(struct peers *peers, const char *address, int *other, int64_t now_us)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    bool is_six = inet_pton(AF_INET6, address, &six.sin6_addr) == 1;
    int pair[2];

    assert_true(is_six || inet_pton(AF_INET, address, &four.sin_addr) == 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    *other = pair[1]; /* pair[0] stays open as long as the program: nobody else's number */
    return peers_add(peers, pair[0],
                     is_six ? (const struct sockaddr *)&six : (const struct sockaddr *)&four,
                     now_us);
}

static void loopback_is_everybody(void **state)
{
    static const struct {
        const char *first, *second;
        bool bound;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", false},     {"::1", "::1", false},
        {"10.0.0.1", "10.0.0.1", true},        {"10.0.0.1", "10.0.0.2", false},
        {"2001:db8::1", "2001:db8::2", true},  {"2001:db8::1", "2001:db8:0:1::1", false},
        {"::ffff:10.0.0.1", "10.0.0.1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addresses *addresses = addresses_new(0, PEER_ADDRESS_SHARE); /* one each */
        struct peers *peers = peers_new(&(struct peers_options){
            .connections_max = 1000, .head_us = 1, .idle_us = 1, .addresses = addresses});
        int first, second;
        struct peer *one = add(peers, cases[i].first, &first, 0);
        struct peer *two = add(peers, cases[i].second, &second, 0);

        assert_int_equal(ended(first, 0), cases[i].bound);
        assert_false(ended(second, 0));
        peers_remove(peers, one);
        peers_remove(peers, two);
        peers_free(peers);
        addresses_free(addresses);
        (void)close(first);
        (void)close(second);
    }
}

static void each_phase_has_its_deadline(void **state)
{
    static const struct {
        enum peer_phase phase;
        int64_t due_us;
    } cases[] = {{PEER_HEAD, 10000000},
                 {PEER_BODY, 10000001},
                 {PEER_IDLE, 85000000},
                 {PEER_BUSY, (int64_t)PEER_BUSY_S * 1000000}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct addresses *addresses = addresses_new(0, 1000);
        struct peers *peers = peers_new(&(struct peers_options){.connections_max = 1000,
                                                                .head_us = 10000000,
                                                                .idle_us = 75000000,
                                                                .addresses = addresses});
        int other;
        struct peer *peer = add(peers, "10.0.0.1", &other, 5);
        struct peers_counts counts;

        peers_enter(peers, peer, cases[i].phase, 5);
        assert_true(peers_expire(peers, 5) > 0);
        (void)peers_expire(peers, 5 + cases[i].due_us - 1);
        assert_false(ended(other, 0));
        (void)peers_expire(peers, 5 + cases[i].due_us);
        assert_true(ended(other, 0));
        assert_int_equal(peers_expire(peers, 5 + cases[i].due_us), -1);
        counts = peers_counts(peers);
        assert_int_equal(counts.slow, 1);
        assert_int_equal(peers_counts(peers).slow, 0);
        peers_enter(peers, peer, PEER_IDLE, 5); /* what goes stays gone */
        assert_int_equal(peers_expire(peers, 5), -1);
        peers_remove(peers, peer);
        peers_free(peers);
        addresses_free(addresses);
        (void)close(other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_of_half_sent_requests_keeps_nobody_out),
        cmocka_unit_test(idle_connections_make_room_too),
        cmocka_unit_test(a_head_has_a_deadline),
        cmocka_unit_test(a_body_has_a_smallest_rate),
        cmocka_unit_test(one_address_has_a_bound),
        cmocka_unit_test(loopback_is_everybody),
        cmocka_unit_test(each_phase_has_its_deadline),
    };

    return cmocka_run_group_tests_name("slow", tests, NULL, NULL);
}
