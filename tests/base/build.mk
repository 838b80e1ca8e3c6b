# test_nomem makes the n-th allocation of our own code fail.
$(OUT)/tests/base/test_nomem: TEST_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
    -Wl,--wrap=strdup,--wrap=strndup
