# fuzz_domains reads CSV as the program does.
$(OUT)/tests/fuzz/fuzz_domains: $(call object,flags/program/domain_csv.c flags/program/serve.c)
