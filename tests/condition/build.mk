# test_syscalls runs the case files as the program does.
$(OUT)/tests/condition/test_syscalls: $(call object,condition/program/cases.c)
