# Programs of tests/walk play the application as the tests of the migrator do.
$(patsubst %.c,$(OUT)/%,$(wildcard tests/walk/test_*.c)): $(call object,tests/migrator/play.c)
