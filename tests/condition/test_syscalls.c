/*
 * System calls: evaluating makes none and allocates nothing. Every case file of this folder, and the
 * official cases where they are at hand, is compiled; then a child gives up all system calls but
 * write, exit_group and the return from a signal, lets the allocator abort, and runs every case,
 * regular expressions and time zones among them. Anything else it calls kills it.
 */
#include "tests/condition/unit.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)

#include "condition/program/cases.h"

#include <errno.h>
#include <glob.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *at, size_t bytes);

static volatile bool forbidden;

/* Seen by the shared libraries too, although the build hides everything else. */
#define SEEN __attribute__((visibility("default")))

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's are reserved names */
SEEN void *malloc(size_t bytes)
{
    if (forbidden)
        abort();
    return __libc_malloc(bytes);
}

SEEN void *calloc(size_t count, size_t bytes)
{
    if (forbidden)
        abort();
    return __libc_calloc(count, bytes);
}

SEEN void *realloc(void *before, size_t bytes)
{
    if (forbidden)
        abort();
    return __libc_realloc(before, bytes);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#define CANNOT 77 /* the child: no filter can be set here */

static bool give_up_calls(void)
{
#define ALLOW(call)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_write),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {.len = COUNT(filter), .filter = filter};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* ---- all cases ---- */

static struct cases_case *cases;
static size_t case_count;
static struct json *documents[64];
static size_t document_count;

static void load(const char *path)
{
    struct err err;
    struct json **document = &documents[document_count++];
    size_t more = 0;

    assert_true(document_count <= COUNT(documents));
    if (cases_read(path, document, &err))
        fail_msg("%s", err.msg);
    for (const struct json *t = json_first(json_get(*document, "tests")); t; t = json_next(t))
        more++;
    cases = realloc(cases, (case_count + more) * sizeof *cases);
    assert_non_null(cases);
    for (const struct json *t = json_first(json_get(*document, "tests")); t; t = json_next(t))
        if (!cases_open(&cases[case_count++], t))
            fail_msg("%s: %s", path, cases[case_count - 1].diag.msg);
}

static int load_all(void **state)
{
    const char *shared = getenv("SHARED");
    char path[4096];
    glob_t files;

    (void)state;
    assert_int_equal(glob("tests/condition/*.json", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++)
        load(files.gl_pathv[i]);
    globfree(&files);
    snprintf(path, sizeof path, "%s/conformance/cel.json", shared ? shared : "");
    if (shared && *shared && access(path, R_OK) == 0)
        load(path);
    else
        puts("left out: the official CEL cases (../shared/conformance/cel.json is not there)");
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < case_count; i++)
        cases_close(&cases[i]);
    for (size_t i = 0; i < document_count; i++)
        json_free(documents[i]);
    free(cases);
    return 0;
}

/* ---- the child ---- */

struct progress { /* shared with the parent */
    size_t at, run, wrong, first_wrong;
};

static void run_all(struct progress *p)
{
    static _Alignas(16) char scratch[CASES_SCRATCH_BYTES];

    if (!give_up_calls())
        _exit(CANNOT);
    forbidden = true;
    for (p->at = 0; p->at < case_count; p->at++) {
        bool right = cases_check(&cases[p->at], scratch, sizeof scratch);
        p->run += cases[p->at].cond != NULL;
        if (!right && p->wrong++ == 0)
            p->first_wrong = p->at;
    }
    _exit(0);
}

static int wait_for(pid_t child)
{
    int status = 0;

    while (waitpid(child, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return status;
}

static void evaluating_makes_no_system_call(void **state)
{
    struct progress *p =
        mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child;
    int status;

    (void)state;
    assert_true(p != MAP_FAILED);
    fflush(stdout);
    child = fork();
    if (child == 0)
        run_all(p);
    status = wait_for(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT) {
        puts("left out: no seccomp filter can be set here");
        skip();
    }
    if (WIFSIGNALED(status))
        fail_msg("%.*s: ended by signal %d (%d: a system call, %d: an allocation)",
                 (int)cases[p->at].source_len, cases[p->at].source, WTERMSIG(status), SIGSYS,
                 SIGABRT);
    if (p->wrong)
        fail_msg("%zu cases are wrong, the first is %.*s", p->wrong,
                 (int)cases[p->first_wrong].source_len, cases[p->first_wrong].source);
    assert_int_equal(p->at, case_count);
    assert_true(p->run > 900);
    printf("%zu cases, %zu of them run\n", p->at, p->run);
    munmap(p, sizeof *p);
}

/* The two guards do bite. */
static void a_system_call_would_be_seen(void **state)
{
    pid_t child;
    int status;

    (void)state;
    child = fork();
    if (child == 0) {
        if (!give_up_calls())
            _exit(CANNOT);
        syscall(SYS_getppid);
        _exit(0);
    }
    status = wait_for(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT)
        skip();
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka's would write a report */
        forbidden = true;
        free(strdup("x"));
        _exit(0);
    }
    status = wait_for(child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluating_makes_no_system_call),
        cmocka_unit_test(a_system_call_would_be_seen),
    };

    return cmocka_run_group_tests(tests, load_all, close_all);
}

#else

int main(void)
{
    puts("left out: system calls, a sanitizer makes some of its own");
    puts("0 passed, 0 failed");
    return 0;
}

#endif
