/* file: whole files in and out, and what is left behind when it goes wrong. */
#include "tests/base/unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static char folder[512];

static int make_folder(void **state)
{
    const char *top = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof folder, "%s/file.XXXXXX", top != NULL ? top : "/tmp");
    return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int remove_folder(void **state)
{
    char **names;
    size_t count;

    (void)state;
    if (file_list(".", &names, &count, NULL) != ERR_OK) {
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (remove(names[i]) != 0) {
            return 1;
        }
    }
    file_list_free(names, count);
    return chdir("/") != 0 || rmdir(folder) != 0;
}

static void assert_holds(const char *path, const char *expected, size_t expected_len)
{
    char *text;
    size_t len;

    assert_int_equal(file_read(path, 1000, &text, &len, NULL), ERR_OK);
    assert_int_equal(len, expected_len);
    assert_memory_equal(text, expected, len + 1); /* with its NUL */
    free(text);
}

static size_t count_files(void)
{
    char **names;
    size_t count;

    assert_int_equal(file_list(".", &names, &count, NULL), ERR_OK);
    file_list_free(names, count);
    return count;
}

static void written_and_read(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(file_write_atomic("a", "one\0two", 7, 0600, NULL), ERR_OK);
    assert_holds("a", "one\0two", 7);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_write_atomic("a", "", 0, 0640, NULL), ERR_OK); /* over an older one */
    assert_holds("a", "", 0);
    assert_int_equal(stat("a", &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(count_files(), 1); /* nothing temporary stays */
}

static void a_reader_of_the_old_file_keeps_it(void **state)
{
    char text[8] = "";
    FILE *old;

    (void)state;
    assert_int_equal(file_write_atomic("a", "old", 3, 0600, NULL), ERR_OK);
    old = fopen("a", "r");
    assert_non_null(old);
    assert_int_equal(file_write_atomic("a", "newer", 5, 0600, NULL), ERR_OK);
    assert_int_equal(fread(text, 1, sizeof text, old), 3);
    assert_string_equal(text, "old");
    fclose(old);
    assert_holds("a", "newer", 5);
}

static void reading_is_bounded(void **state)
{
    char *text = NULL;
    struct err err;
    size_t len;

    (void)state;
    assert_int_equal(file_write_atomic("a", "12345", 5, 0600, NULL), ERR_OK);
    assert_int_equal(file_read("a", 5, &text, &len, &err), ERR_OK);
    free(text);
    text = NULL;
    assert_int_equal(file_read("a", 4, &text, &len, &err), ERR_LIMIT);
    assert_string_equal(err.msg, "a is larger than 4 bytes");
    assert_null(text);
}

static void failures_say_which_file(void **state)
{
    char *text = NULL, **names = NULL, longer[400];
    struct err err;
    size_t len = 0;

    (void)state;
    assert_int_equal(file_read("none", 10, &text, &len, &err), ERR_NOT_FOUND);
    assert_string_equal(err.msg, "cannot read none: No such file or directory");
    assert_int_equal(mkdir("sub", 0700), 0);
    assert_int_equal(file_read("sub", 10, &text, &len, &err), ERR_INVALID);
    assert_string_equal(err.msg, "cannot read sub: Is a directory");
    assert_int_equal(file_list("none", &names, &len, &err), ERR_NOT_FOUND);
    assert_string_equal(err.msg, "cannot read folder none: No such file or directory");
    assert_int_equal(file_write_atomic("none/a", "x", 1, 0600, &err), ERR_NOT_FOUND);
    assert_string_equal(err.msg, "cannot write none/a: No such file or directory");
    assert_int_equal(file_write_atomic("sub", "x", 1, 0600, &err), ERR_INVALID); /* over a folder */
    assert_int_equal(count_files(), 1); /* and the new file is gone again */
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(file_write_atomic(longer, "x", 1, 0600, &err), ERR_INVALID);
    assert_null(text);
    assert_null(names);
}

static void a_place_that_takes_no_file_is_told(void **state)
{
    struct err err;

    (void)state;
    assert_int_not_equal(file_write_atomic("/proc/self/none", "x", 1, 0600, &err), ERR_OK);
    assert_non_null(strstr(err.msg, "cannot write /proc/self/none: "));
}

static void no_permission_is_denied(void **state)
{
    char *text = NULL;
    struct err err;

    (void)state;
    if (geteuid() == 0) {
        skip(); /* root may read everything */
    }
    assert_int_equal(file_write_atomic("a", "x", 1, 0000, NULL), ERR_OK);
    assert_int_equal(file_read("a", 10, &text, NULL, &err), ERR_DENIED);
    assert_string_equal(err.msg, "cannot read a: Permission denied");
}

static void lists_are_sorted_by_bytes(void **state)
{
    static const char *const made[] = {"b", "a", "B", "10", "9", ".hidden", "\xC3\xA9"};
    static const char *const sorted[] = {".hidden", "10", "9", "B", "a", "b", "\xC3\xA9"};
    char **names;
    size_t count;

    (void)state;
    assert_int_equal(file_list(".", &names, &count, NULL), ERR_OK);
    assert_int_equal(count, 0);
    file_list_free(names, count);
    for (size_t i = 0; i < COUNT(made); i++) {
        assert_int_equal(file_write_atomic(made[i], "", 0, 0600, NULL), ERR_OK);
    }
    assert_int_equal(file_list(".", &names, &count, NULL), ERR_OK);
    assert_int_equal(count, COUNT(sorted));
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(names[i], sorted[i]);
    }
    file_list_free(names, count);
}

static void exists_and_is_folder(void **state)
{
    (void)state;
    assert_false(file_exists("a"));
    assert_int_equal(file_write_atomic("a", "", 0, 0600, NULL), ERR_OK);
    assert_true(file_exists("a") && !file_is_folder("a"));
    assert_true(file_exists(".") && file_is_folder("."));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(written_and_read),
        IN_FOLDER(a_reader_of_the_old_file_keeps_it),
        IN_FOLDER(reading_is_bounded),
        IN_FOLDER(failures_say_which_file),
        IN_FOLDER(a_place_that_takes_no_file_is_told),
        IN_FOLDER(no_permission_is_denied),
        IN_FOLDER(lists_are_sorted_by_bytes),
        IN_FOLDER(exists_and_is_folder),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
