# make help lists the targets. Objects and binaries are under build/ (BUILD=...); missing Debian
# packages are installed first (.ci/deps).

BUILD ?= build
PREFIX ?= /usr/local
SAN ?=
# Warnings stop CI alone.
WERROR ?= $(if $(filter true,$(CI)),1)

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

ROOMS := base condition database flags migrator server sdk
# Which program stands in which room's program/ folder.
PROGRAM_condition := condition
PROGRAM_migrator := migrate
PROGRAM_server := flag-server
PROGRAM_flags := flags

comma := ,
# Each set of sanitizers has objects and binaries of its own.
OUT := $(BUILD)$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
OUT_ABS = $(abspath $(OUT))

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
AR := ar
OBJCOPY := objcopy

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wvla -Wformat=2 -Wimplicit-fallthrough -Wundef
CPPFLAGS += -I. -D_GNU_SOURCE
ifeq ($(SAN),)
CFLAGS ?= -O2 -g
HARDENING := -fstack-protector-strong -D_FORTIFY_SOURCE=2
else
CFLAGS ?= -O1 -g
HARDENING := -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SAN)
endif
LDFLAGS += -Wl,--as-needed
ALL_CFLAGS = -std=c11 $(CFLAGS) $(WARNINGS) $(HARDENING) $(if $(filter 1,$(WERROR)),-Werror) \
    -fPIC -pthread $(CPPFLAGS) $(PACKAGE_CFLAGS)

# pkg-config may only be asked in a recipe: before, it may not be installed yet. Asked once.
MODULES := libmicrohttpd libcurl libcjson libsodium sqlite3 libpcre2-8 libidn2 libpsl libmd
SDK_MODULES := libcurl libcjson libsodium libpcre2-8 libidn2
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $$(shell pkg-config --cflags $(MODULES)))$(PACKAGE_CFLAGS)
# libcsv has no module; the program flags alone wants it
PACKAGE_LIBS = $(eval PACKAGE_LIBS := $$(shell pkg-config --libs $(MODULES)) -lcsv)$(PACKAGE_LIBS)
SDK_LIBS = $(eval SDK_LIBS := $$(shell pkg-config --libs $(SDK_MODULES)))$(SDK_LIBS)
VERSION = $(eval VERSION := $$(shell sed -n 's/^.define LOCKSTEP_VERSION "\(.*\)"/\1/p' base/version.h))$(VERSION)
SOVERSION := 0

# ---- what there is ----

object = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
# A room is its *.c and those of its folders but program/; the flag server carries its own migrations.
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
EMBEDDED := $(if $(and $(MIGRATIONS),$(wildcard server/embed.sh)),$(OUT)/obj/server/migrations_embedded)
room_sources = $(sort $(filter-out $(1)/program/%,$(wildcard $(1)/*.c $(1)/*/*.c)))
ROOM_OBJECTS = $(call object,$(room_sources)) \
    $(if $(filter server,$(1)),$(addsuffix .o,$(EMBEDDED)))

PROGRAM_ROOMS := $(foreach room,$(ROOMS),$(if $(wildcard $(room)/program/*.c),$(room)))
PROGRAMS := $(foreach room,$(PROGRAM_ROOMS),$(OUT)/$(PROGRAM_$(room)))
ROOM_LIBS := $(foreach room,$(ROOMS),$(OUT)/lib$(room).a)
# What a room's program and tests are linked with: the room and what it may use, who uses before who
# is used. A folder of tests that is no room gets everything.
USES_base := base
USES_condition := condition base
USES_database := database base
USES_flags := flags condition base
USES_migrator := migrator database condition base
USES_server := server flags migrator database condition base
USES_sdk := sdk flags condition base
USES_all := sdk server flags migrator database condition base
libs_of = $(patsubst %,$(OUT)/lib%.a,$(or $(USES_$(1)),$(USES_all)))

# What condition/ takes from base/, so that libcondition.a stands alone.
CONDITION_BASE := $(call object,$(addprefix base/,arena.c buf.c err.c json.c json_order.c \
    json_print.c json_scan.c utf8.c))
SDK_OBJECTS := $(foreach room,sdk flags condition base,$(call ROOM_OBJECTS,$(room)))
MIGRATE_OBJECTS := $(foreach room,migrator database condition base,$(call ROOM_OBJECTS,$(room)))
LIBRARIES := $(OUT)/libcondition.a $(OUT)/libmigrate.a \
    $(if $(wildcard migrator/migrate.pc.in),$(OUT)/lockstep-migrate.pc) \
    $(if $(wildcard sdk/*.c),$(OUT)/liblockstep.a $(OUT)/liblockstep.so $(OUT)/lockstep.pc)

# tests/ROOM/test_*.c: a cmocka binary each. bench_*.c, fuzz_*.c: a program each. Other *.c there:
# linked into each of that folder's tests, benches and fuzz targets. tests/ROOM/program/*.c: programs
# that scripts run.
TEST_SOURCES := $(sort $(wildcard tests/*/test_*.c))
BENCH_SOURCES := $(sort $(wildcard tests/*/bench_*.c))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TEST_PROGRAM_SOURCES := $(sort $(wildcard tests/*/program/*.c))
DEMO_SOURCES := $(wildcard tests/demo/*.c)
TEST_SHARED_SOURCES := $(filter-out $(TEST_SOURCES) $(BENCH_SOURCES) $(FUZZ_SOURCES) \
    $(DEMO_SOURCES), $(sort $(wildcard tests/*/*.c)))
TESTS := $(TEST_SOURCES:%.c=$(OUT)/%)
BENCHES := $(BENCH_SOURCES:%.c=$(OUT)/%)
FUZZERS := $(FUZZ_SOURCES:%.c=$(OUT)/%)
TEST_PROGRAMS := $(foreach source,$(TEST_PROGRAM_SOURCES),$(OUT)/$(subst /program/,/,$(source:.c=)))

ALL_SOURCES := $(foreach room,$(ROOMS),$(wildcard $(room)/*.c $(room)/*/*.c)) $(TEST_SOURCES) \
    $(BENCH_SOURCES) $(FUZZ_SOURCES) $(TEST_SHARED_SOURCES) $(TEST_PROGRAM_SOURCES) $(DEMO_SOURCES)
PUBLIC_HEADERS := sdk/lockstep.h condition/condition.h migrator/migrate.h

.PHONY: all programs libraries check check-full check-ofrep check-d1 check-d1-live check-tests lint headers demo golden bench \
    bench-condition bench-flags bench-migrate install uninstall clean help deps deps-build deps-test deps-lint FORCE
.DEFAULT_GOAL := all

all: programs libraries ## build programs and libraries
programs: $(PROGRAMS)
libraries: $(ROOM_LIBS) $(LIBRARIES)

# ---- packages ----

deps: deps-build ## install the Debian packages that are missing
deps-build:
	@.ci/deps build
deps-test: deps-build
	@.ci/deps test
deps-lint: deps-test
	@.ci/deps lint
deps-fuzz: deps-build
	@.ci/deps fuzz

# ---- objects ----

# Rewritten only when a flag or the compiler changed; every object depends on it.
$(OUT)/flags.stamp: FORCE | deps-build
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(shell $(CC) -dumpfullversion 2>/dev/null || $(CC) -dumpversion) $(subst ','\'',$(ALL_CFLAGS))' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
FORCE:

# Everything inside a library is hidden but the SDK's own functions, which lockstep.map then sifts.
VISIBILITY = -fvisibility=hidden
$(OUT)/obj/sdk/%.o: VISIBILITY = -fvisibility=default

$(OUT)/obj/%.o: %.c $(OUT)/flags.stamp | deps-build
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(VISIBILITY) -MMD -MP -c $< -o $@

$(foreach source,$(TEST_SOURCES),$(call object,$(source))): | deps-test

-include $(patsubst %.c,$(OUT)/obj/%.d,$(ALL_SOURCES))
# A folder of tests may add flags of its own: TEST_LDFLAGS, by target.
-include $(wildcard tests/*/build.mk)

$(OUT)/obj/server/migrations_embedded.c: server/embed.sh $(MIGRATIONS) $(OUT)/obj/sources.stamp
	@mkdir -p $(@D)
	@server/embed.sh $(MIGRATIONS) >$@
$(OUT)/obj/server/migrations_embedded.o: $(OUT)/obj/server/migrations_embedded.c $(OUT)/flags.stamp
	@echo "  CC    $<"
	@$(CC) $(ALL_CFLAGS) $(VISIBILITY) -c $< -o $@

# ---- libraries ----

# A list that changes when a file comes or goes, so that no archive keeps what was removed.
$(OUT)/obj/sources.stamp: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(sort $(ALL_SOURCES)) $(MIGRATIONS)' >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

define ARCHIVE
@mkdir -p $(@D)
@echo "  AR    $@"
@rm -f $@
@$(AR) rcsD $@ $(filter %.o,$^)
endef

define ROOM_RULE
$(OUT)/lib$(1).a: $(call ROOM_OBJECTS,$(1)) $(if $(filter condition,$(1)),$(CONDITION_BASE)) \
    $(OUT)/obj/sources.stamp
	$$(ARCHIVE)
endef
$(foreach room,$(ROOMS),$(eval $(call ROOM_RULE,$(room))))

$(OUT)/libmigrate.a: $(MIGRATE_OBJECTS) $(OUT)/obj/sources.stamp
	$(ARCHIVE)

# One object in which only lockstep_* can be seen: a host may have a json_parse() of its own.
$(OUT)/liblockstep.a: $(SDK_OBJECTS) $(OUT)/obj/sources.stamp
	@echo "  AR    $@"
	@$(CC) -r -nostdlib -o $(OUT)/obj/lockstep.o $(filter %.o,$^)
	@$(OBJCOPY) --wildcard --keep-global-symbol='lockstep_*' $(OUT)/obj/lockstep.o
	@rm -f $@
	@$(AR) rcsD $@ $(OUT)/obj/lockstep.o

$(OUT)/obj/lockstep.map: Makefile
	@mkdir -p $(@D)
	@echo '{ global: lockstep_*; local: *; };' >$@

$(OUT)/liblockstep.so: $(SDK_OBJECTS) $(OUT)/obj/lockstep.map $(OUT)/obj/sources.stamp
	@echo "  LD    $@"
	@$(CC) -shared -pthread -Wl,-soname,liblockstep.so.$(SOVERSION) $(LDFLAGS) \
	    $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,-z,relro,-z,now \
	    -Wl,--version-script=$(OUT)/obj/lockstep.map -o $@ $(filter %.o,$^) $(SDK_LIBS) -lm
	@ln -sf liblockstep.so $(OUT)/liblockstep.so.$(SOVERSION)

$(OUT)/lockstep.pc: sdk/lockstep.pc.in
$(OUT)/lockstep.pc: PC_MODULES = $(SDK_MODULES)
$(OUT)/lockstep-migrate.pc: migrator/migrate.pc.in
$(OUT)/lockstep-migrate.pc: PC_MODULES = sqlite3 libmd $(SDK_MODULES)
$(OUT)/lockstep.pc $(OUT)/lockstep-migrate.pc: base/version.h FORCE
	@mkdir -p $(@D)
	@sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@MODULES@|$(PC_MODULES)|g' \
	    $(filter %.pc.in,$^) >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- programs ----

define LINK
@mkdir -p $(@D)
@echo "  LD    $@"
@$(CC) -pthread $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PACKAGE_LIBS) \
    $(TEST_LIBS) -lm
endef

define PROGRAM_RULE
$(OUT)/$(PROGRAM_$(1)): $(call object,$(sort $(wildcard $(1)/program/*.c))) $(call libs_of,$(1))
	$$(LINK)
endef
$(foreach room,$(PROGRAM_ROOMS),$(eval $(call PROGRAM_RULE,$(room))))

define TEST_RULE
$(OUT)/$(1:.c=): $(call object,$(1) $(filter $(dir $(1))%,$(TEST_SHARED_SOURCES))) \
    $(call libs_of,$(word 2,$(subst /, ,$(1))))
	$$(LINK)
endef
$(TESTS): TEST_LIBS = -lcmocka
$(foreach source,$(TEST_SOURCES) $(BENCH_SOURCES),$(eval $(call TEST_RULE,$(source))))

# Built for libFuzzer the targets are driven by it, else replay.c runs the corpus.
FUZZ_DRIVER = $(if $(findstring fuzzer,$(SAN)),,tests/fuzz/replay.c)
define FUZZ_RULE
$(OUT)/$(1:.c=): $(call object,$(1) $(filter-out tests/fuzz/replay.c, \
    $(filter tests/fuzz/%,$(TEST_SHARED_SOURCES))) $(FUZZ_DRIVER)) $(call libs_of,fuzz)
	$$(LINK)
endef
$(FUZZERS): TEST_LIBS = $(if $(FUZZ_DRIVER),,-fsanitize=fuzzer)
$(foreach source,$(FUZZ_SOURCES),$(eval $(call FUZZ_RULE,$(source))))

define TEST_PROGRAM_RULE
$(OUT)/$(subst /program/,/,$(1:.c=)): $(call object,$(1)) $(call libs_of,$(word 2,$(subst /, ,$(1))))
	$$(LINK)
endef
$(foreach source,$(TEST_PROGRAM_SOURCES),$(eval $(call TEST_PROGRAM_RULE,$(source))))

# ---- tests ----

# Where nobody said -j, a goal that starts with set-up builds on all processors.
PARALLEL = $$(case " $$MAKEFLAGS" in *' -j'* | *jobserver*) ;; *) echo "-j$$(nproc)" ;; esac)

# Scripts find programs in $BUILD (absolute) and what lies beside the project in $SHARED.
RUN_ENV = BUILD='$(OUT_ABS)' SAN='$(SAN)' CC='$(CC)' MAKE='$(MAKE)'

check: deps-test ## run all tests; SAN=address,undefined or SAN=thread with sanitizers
	@$(MAKE) $(PARALLEL) --no-print-directory check-tests
check-tests: all $(TESTS) $(FUZZERS) $(TEST_PROGRAMS)
	@$(RUN_ENV) tests/run.sh $(TESTS) $(FUZZERS) $(sort $(wildcard tests/*/*.test.sh))

check-full: ## check, lint, headers, check-ofrep, check-d1, longer loops and both sanitizers
	@CHECK_FULL=1 $(MAKE) --no-print-directory check
	@$(MAKE) --no-print-directory lint headers
	@$(MAKE) --no-print-directory check-ofrep
	@$(MAKE) --no-print-directory check-d1
	@CHECK_FULL=1 $(MAKE) --no-print-directory check SAN=address,undefined
	@CHECK_FULL=1 $(MAKE) --no-print-directory check SAN=thread

check-ofrep: deps-build ## OpenFeature's own clients (npm) against the flag server
	@$(MAKE) $(PARALLEL) --no-print-directory $(OUT)/flag-server
	@$(RUN_ENV) OFREP_CLIENTS='$(abspath $(BUILD))/ofrep' tests/ofrep/ofrep.sh

check-d1: deps-test ## walks on D1's own engine (npm miniflare), with kill -9; wrangler, OpenFeature
	@$(MAKE) $(PARALLEL) --no-print-directory $(OUT)/migrate $(OUT)/flags $(OUT)/flag-server $(OUT)/tests/database/test_d1
	@$(RUN_ENV) D1_CLIENTS='$(abspath $(BUILD))/d1' tests/d1/d1.sh

check-d1-live: deps-test ## a walk on a real account (CLOUDFLARE_API_TOKEN, CLOUDFLARE_ACCOUNT_ID)
	@$(MAKE) $(PARALLEL) --no-print-directory $(OUT)/migrate $(OUT)/tests/database/test_d1
	@$(RUN_ENV) tests/d1/live.sh

golden: deps-test ## rewrite expected outputs; review them with git diff
	@GOLDEN=1 $(MAKE) $(PARALLEL) --no-print-directory check-tests

bench: deps-build ## print ratios of things measured in one run
	@$(MAKE) $(PARALLEL) --no-print-directory all $(BENCHES)
	@for bench in $(BENCHES); do echo "$${bench##*/}"; RUNS=$${RUNS:-1} $$bench || exit 1; done
	@for script in $(sort $(wildcard tests/*/*.bench.sh)); do echo "$$script"; $(RUN_ENV) $$script || exit 1; done

ROWS ?= 200000
MIGRATIONS ?= 1000
bench-migrate: deps-build ## a whole walk on a live file (ROWS=10000000 is 2 GB), and MIGRATIONS small ones beside other tools
	@$(MAKE) $(PARALLEL) --no-print-directory all $(OUT)/tests/bench/bench_migrate $(OUT)/tests/bench/bench_small
	@$(OUT)/tests/bench/bench_migrate $(ROWS)
	@$(OUT)/tests/bench/bench_small $(MIGRATIONS)
	@$(RUN_ENV) PEERS='$(abspath $(BUILD))/peers' tests/bench/peers/peers.sh $(MIGRATIONS)

bench-condition: deps-build ## the condition engine beside hand-written C and other engines, with bars
	@$(MAKE) $(PARALLEL) --no-print-directory $(OUT)/tests/condition/bench_condition
	@$(RUN_ENV) GOLDEN='$(GOLDEN)' tests/condition/bench/run.sh

bench-flags: deps-build ## flags beside their conditions and other evaluators, 10,000 flags, 1,000,000 customers, with bars
	@$(MAKE) $(PARALLEL) --no-print-directory programs $(OUT)/tests/bench/bench_flags
	@$(RUN_ENV) GOLDEN='$(GOLDEN)' PEERS='$(abspath $(BUILD))/flag-peers' tests/bench/flags/run.sh

# New inputs are kept in $(BUILD)/fuzz-corpus; FUZZ_MERGE=1 brings what reaches new code, minimised,
# into tests/fuzz/corpus. FUZZ_TARGETS='json sql' runs these alone.
.PHONY: fuzz fuzzers deps-fuzz
FUZZ_SECONDS ?= 60
FUZZ_SAN := fuzzer-no-link,address,undefined,float-cast-overflow
fuzz: deps-fuzz deps-test ## run each fuzz target for FUZZ_SECONDS (60), or FUZZ_RUNS times, under libFuzzer
	@$(MAKE) $(PARALLEL) --no-print-directory CC=clang-14 SAN=$(FUZZ_SAN) WARNINGS= WERROR= fuzzers
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' FUZZ_RUNS='$(FUZZ_RUNS)' FUZZ_TARGETS='$(FUZZ_TARGETS)' FUZZ_MERGE='$(FUZZ_MERGE)' \
	    tests/fuzz/fuzz.sh '$(abspath $(BUILD)/san-$(subst $(comma),-,$(FUZZ_SAN)))' \
	    '$(abspath $(BUILD))/fuzz-corpus'
fuzzers: $(FUZZERS)

# The demo is an application: it is linked with what an application gets.
$(OUT)/demo-logger: $(call object,$(DEMO_SOURCES)) $(OUT)/liblockstep.a
	@echo "  LD    $@"
	@$(CC) -pthread $(LDFLAGS) -o $@ $(filter %.o,$^) $(OUT)/liblockstep.a $(SDK_LIBS) -lsqlite3 -lm

demo: deps-test ## the whole walk on a live database, in a minute
	@$(MAKE) $(PARALLEL) --no-print-directory all $(OUT)/demo-logger
	@$(RUN_ENV) tests/demo/demo.sh $(OUT)

lint: deps-lint ## formatting, static analysis, layers, banned calls
	@CC='$(CC)' tests/lint/lint.sh
headers: deps-lint ## compile each header alone, the public ones as C99 and C++ too
	@CC='$(CC)' CXX='$(CXX)' tests/lint/headers.sh

# ---- install ----

bindir = $(DESTDIR)$(PREFIX)/bin
libdir = $(DESTDIR)$(PREFIX)/lib
includedir = $(DESTDIR)$(PREFIX)/include
mandir = $(DESTDIR)$(PREFIX)/share/man/man1
# A public header with the headers that it includes, as the compiler sees them.
HEADERS_OF = $(filter %.h,$(subst \,,$(shell $(CC) -I. -MM -MG $(1))))

install: all ## into PREFIX (/usr/local), below DESTDIR
	@install -d $(bindir) $(libdir)/pkgconfig $(includedir)/lockstep $(mandir)
	@for program in $(PROGRAMS); do \
	    install -m 755 $$program $(bindir)/ && \
	    $$program help --man >$(mandir)/$${program##*/}.1 && chmod 644 $(mandir)/$${program##*/}.1 || exit 1; \
	done
	@install -m 644 $(OUT)/libcondition.a $(OUT)/libmigrate.a $(libdir)/
	@[ ! -e $(OUT)/lockstep-migrate.pc ] || install -m 644 $(OUT)/lockstep-migrate.pc $(libdir)/pkgconfig/
	@if [ -e $(OUT)/liblockstep.so ]; then \
	    install -m 644 $(OUT)/liblockstep.a $(libdir)/ && \
	    install -m 755 $(OUT)/liblockstep.so $(libdir)/liblockstep.so.$(VERSION) && \
	    ln -sf liblockstep.so.$(VERSION) $(libdir)/liblockstep.so.$(SOVERSION) && \
	    ln -sf liblockstep.so.$(SOVERSION) $(libdir)/liblockstep.so && \
	    install -m 644 $(OUT)/lockstep.pc $(libdir)/pkgconfig/ && \
	    install -m 644 sdk/lockstep.h $(includedir)/; \
	fi
	@for header in $(sort $(call HEADERS_OF,$(wildcard condition/condition.h migrator/migrate.h))); do \
	    install -D -m 644 $$header $(includedir)/lockstep/$$header || exit 1; \
	done

uninstall: ## what install put there
	@rm -f $(foreach room,$(PROGRAM_ROOMS),$(bindir)/$(PROGRAM_$(room)) $(mandir)/$(PROGRAM_$(room)).1)
	@rm -f $(libdir)/libcondition.a $(libdir)/libmigrate.a $(libdir)/liblockstep.* \
	    $(libdir)/pkgconfig/lockstep.pc $(libdir)/pkgconfig/lockstep-migrate.pc $(includedir)/lockstep.h
	@rm -rf $(includedir)/lockstep

clean: ## remove what was built
	@rm -rf $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1 - \2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS= read -r line; do printf '  %-14s %s\n' "$${line%% - *}" "$${line#* - }"; done
	@echo 'Variables: BUILD=build PREFIX=/usr/local DESTDIR= SAN=address,undefined|thread WERROR=1 FUZZ_SECONDS=60'
