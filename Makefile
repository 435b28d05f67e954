# evald: make help says what there is to make.
#
# Objects go to build/$(VARIANT); the plain build has none.  Every variant is
# made by the same rules with other flags.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/sh

VARIANT ?=
O := build$(if $(VARIANT),/$(VARIANT))

# Kernels are built once for each element type and instruction set: f32_v3 is
# float for x86-64-v3.  All builds give the same bits (core/real.h).
# Where what counts is what the code does, the base is enough.
ISAS := base $(if $(filter asan tsan fuzz,$(VARIANT)),,\
	$(if $(filter x86_64,$(shell uname -m)),v3 v4))
BUILDS := $(foreach isa,$(ISAS),f32_$(isa) f64_$(isa))
ISA_base :=
ISA_v3 := -march=x86-64-v3 -mtune=haswell
ISA_v4 := -march=x86-64-v4 -mtune=haswell

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes \
	-Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
# Numbers are promised to the last bit, so no multiply and add is fused.
BASE := -std=c11 -D_GNU_SOURCE -I. -g -fno-omit-frame-pointer -pthread \
	-ffp-contract=off $(if $(filter v3,$(ISAS)),-DEVALD_VECTOR)
CFLAGS ?= -O3 -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
LDFLAGS ?= -pie -Wl,-z,relro,-z,now
# make V=1 shows whole commands, make WERROR=1 takes no warning
Q := $(if $(V),,@)
say = @printf '  %-4s %s\n' $(1) $@

, := ,
CLANG := clang
PYTHON ?= /usr/bin/python3

ifeq ($(VARIANT),asan)
CFLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS := -fsanitize=address,undefined
else ifeq ($(VARIANT),tsan)
CFLAGS := -O1 -fsanitize=thread
LDFLAGS := -fsanitize=thread
else ifeq ($(VARIANT),clang)
CC := $(CLANG)
else ifeq ($(VARIANT),fuzz)
CC := $(CLANG)
CFLAGS := -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
LDFLAGS := -fsanitize=address,undefined
endif

PKGS := libmicrohttpd gnutls libuv jansson nettle zlib libzstd inih libseccomp \
	sqlite3 libpq
# asked once, and only by targets that build
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

# Neither errno nor traps are looked at; both would keep loops from vectors.
KERNEL_FLAGS := -fno-math-errno -fno-trapping-math
KERNELS := $(foreach b,$(BUILDS),$(patsubst %.c,$(O)/%_$(b).o,\
	$(wildcard core/kernels/*.c)))

CORE := $(patsubst %.c,$(O)/%.o,$(wildcard core/*.c)) $(KERNELS)
API := $(patsubst %.c,$(O)/%.o,$(wildcard api/*.c))
SERVER := $(patsubst %.c,$(O)/%.o,$(wildcard server/*.c))
TESTS := $(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/test_*.c))
SUPPORT := $(patsubst %.c,$(O)/%.o,$(filter-out tests/test_%.c,$(wildcard tests/*.c)))
BENCHES := $(patsubst tests/bench/%.c,$(O)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*.c))
HTTP_TESTS := $(wildcard tests/http/test_*.py) tests/test_run.sh

.PHONY: all
all: ## build build/evald
	@deploy/dependencies -n build >/dev/null
	@$(MAKE) --no-print-directory binary

.PHONY: binary
binary: $(O)/evald build/compile_commands.json

$(O)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,cc)
	$(Q)$(CC) $(BASE) $(WARN) $(CFLAGS) $(PKG_CFLAGS) -MMD -MP -c $< -o $@

# $(1) is a build of the kernels, such as f32_v3
define kernel_rule
$(O)/core/kernels/%_$(1).o: core/kernels/%.c Makefile
	@mkdir -p $$(@D)
	$$(call say,cc)
	$$(Q)$$(CC) $(BASE) $(WARN) $(CFLAGS) $(KERNEL_FLAGS) \
	  -DREAL_BITS=$(patsubst f%,%,$(firstword $(subst _, ,$(1)))) \
	  -DISA=$(lastword $(subst _, ,$(1))) $(ISA_$(lastword $(subst _, ,$(1)))) \
	  -MMD -MP -c $$< -o $$@
endef
$(foreach b,$(BUILDS),$(eval $(call kernel_rule,$(b))))

$(O)/evald: $(SERVER) $(API) $(CORE)
	$(call say,link)
	$(Q)$(CC) $(LDFLAGS) $^ $(PKG_LIBS) -lm -pthread -o $@

# A test sees all of evald but its main, and what the tests share.
$(TESTS): $(O)/tests/%: $(O)/tests/%.o $(SUPPORT) \
		$(filter-out $(O)/server/main.o,$(SERVER)) $(API) $(CORE)
	$(call say,link)
	$(Q)$(CC) $(LDFLAGS) $^ $(PKG_LIBS) -lcmocka -lm -pthread -o $@

# It stands between all of evald and what gives memory (tests/failing.h).
$(O)/tests/test_allocation: LDFLAGS += $(patsubst %,-Wl$(,)--wrap=%,\
	arena_alloc arena_zero $(if $(filter asan tsan,$(VARIANT)),\
	malloc calloc realloc free aligned_alloc strdup))

$(O)/bench/%: $(O)/tests/bench/%.o $(SUPPORT) \
		$(filter-out $(O)/server/main.o,$(SERVER)) $(API) $(CORE)
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) $(LDFLAGS) $^ $(PKG_LIBS) -lcmocka -lm -pthread -o $@

$(O)/fuzz/%: $(O)/tests/fuzz/%.o $(SUPPORT) \
		$(filter-out $(O)/server/main.o,$(SERVER)) $(API) $(CORE)
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer $^ $(PKG_LIBS) -lcmocka -lm -pthread -o $@

# clangd and clang-tidy read how each file is compiled.
build/compile_commands.json: Makefile $(wildcard core/*.c core/kernels/*.c api/*.c server/*.c tests/*.c)
	@mkdir -p $(@D)
	@{ sep='['; for f in $(filter %.c,$^); do \
	  printf '%s\n{"directory":"%s","file":"%s","command":"cc %s -c %s"}' \
	    "$$sep" "$(CURDIR)" "$$f" "$(BASE) $(WARN) $(PKG_CFLAGS)" "$$f"; \
	  sep=','; done; printf '\n]\n'; } > $@

.PHONY: demo
demo: ## set up, start the daemon, score a sample over HTTP, show the result
	@deploy/dependencies build demo
	@$(MAKE) --no-print-directory -j2 binary
	@clients/demo.sh build/evald

.PHONY: check
check: ## set up, build, and run every test
	@deploy/dependencies build check
	@$(MAKE) --no-print-directory -j2 binary tests
	@tests/run.sh $(TESTS) $(HTTP_TESTS)

.PHONY: tests
tests: $(O)/evald $(TESTS)

.PHONY: asan
asan: ## the tests with AddressSanitizer and UndefinedBehaviorSanitizer
	@deploy/dependencies build check
	@$(MAKE) --no-print-directory -j2 VARIANT=asan run-tests

.PHONY: tsan
tsan: ## the daemon and what else has threads with ThreadSanitizer
	@deploy/dependencies build check
	@$(MAKE) --no-print-directory -j2 VARIANT=tsan run-threaded

.PHONY: clang
clang: ## the tests as clang builds them
	@deploy/dependencies build check clang
	@$(MAKE) --no-print-directory -j2 VARIANT=clang run-tests

.PHONY: run-threaded
THREADED := $(addprefix $(O)/tests/,test_budget test_cache test_clients \
	test_coco_analysis test_coco_intervals test_coco_live test_coco_part \
	test_handshakes test_log test_metrics test_pool test_pool_regions \
	test_spares test_store test_store_limits test_store_threads test_tls)
# What asks one thing after the other shows nothing that these do not.
UNTHREADED := analysis cli config content deploy eval_outputs faults gate golden \
	npy oip openapi postgresql readme results service store_command torture \
	warnings
.PHONY: threaded
threaded: $(O)/evald $(THREADED)
run-threaded: threaded
	@JOBS=2 EVALD=$(O)/evald tests/run.sh $(THREADED) $(filter-out \
	  $(UNTHREADED:%=tests/http/test_%.py) tests/test_run.sh,$(HTTP_TESTS))

.PHONY: run-tests
run-tests: tests
	@JOBS=2 EVALD=$(O)/evald tests/run.sh $(TESTS) $(HTTP_TESTS)

.PHONY: bench
bench: ## time scoring, operations, the wire, the front, and print ratios
	@deploy/dependencies build check
	@deploy/dependencies bench || echo 'bench: going on without them'
	@$(MAKE) --no-print-directory -j2 binary benches
	@for b in $(BENCHES); do $$b || exit 1; done
	@$(PYTHON) tests/bench/operations.py build/bench/operations
	@$(PYTHON) tests/bench/evaluate.py build/evald
	@$(PYTHON) tests/bench/oip.py build/evald
	@$(PYTHON) tests/bench/front.py build/evald
	@$(PYTHON) tests/bench/lanes.py build/evald
	@$(PYTHON) tests/bench/runs.py build/evald
	@$(PYTHON) tests/bench/compare.py build/evald

.PHONY: benches
benches: $(BENCHES)

.PHONY: soak
SOAK_SECONDS ?= 600
soak: ## load a daemon for SOAK_SECONDS (600) and watch its memory
	@deploy/dependencies build check
	@$(MAKE) --no-print-directory -j2 binary
	@$(PYTHON) tests/soak.py $(SOAK_SECONDS) $(O)/evald

.PHONY: torture
torture: ## kill a store, then a daemon, 1,000 times; nothing may be lost
	@deploy/dependencies build check
	@$(MAKE) --no-print-directory -j2 binary $(O)/tests/test_store_kill
	@EVALD_TORTURE=1000 $(O)/tests/test_store_kill
	@TORTURE=1000 $(PYTHON) tests/http/test_torture.py

.PHONY: fuzz
FUZZ_SECONDS ?= 60
fuzz: ## run each fuzzer for FUZZ_SECONDS (60)
	@deploy/dependencies build check clang
	@$(MAKE) --no-print-directory -j2 VARIANT=fuzz fuzzers
	@tests/fuzz.sh $(FUZZ_SECONDS) build/fuzz/fuzz

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: mutants
mutants: ## break each scoring rule on purpose and see a test fail
	@deploy/dependencies build check
	@tests/mutants.sh

.PHONY: lint
lint: build/compile_commands.json ## formatting, lengths, static analysis
	@deploy/dependencies build lint
	@$(MAKE) --no-print-directory -j2 binary
	@tests/lint.sh

.PHONY: openapi
openapi: ## lint the OpenAPI document that the daemon serves
	@deploy/dependencies build
	@$(MAKE) --no-print-directory -j2 binary
	@tests/openapi.sh $(O)/evald

.PHONY: layers
layers: ## includes point down only: server -> api -> core
	@tests/layers.sh

.PHONY: fresh
fresh: ## prove make demo and make check on a bare Debian 12 (root)
	@deploy/dependencies fresh
	@tests/fresh.sh

.PHONY: fmt
fmt: ## format the sources
	clang-format -i $(wildcard core/*.[ch] core/*/*.[ch] api/*.[ch] server/*.[ch] \
	  tests/*.[ch] tests/*/*.[ch])

.PHONY: readme
readme: ## write the README's table of operations from the rows
	@$(MAKE) --no-print-directory -j2 binary
	@build/evald ops --markdown >build/operations.md
	@awk '/<!-- operations -->/ { print; \
	    while ((getline line < "build/operations.md") > 0) print line; \
	    skip = 1 } \
	  /<!-- end of operations -->/ { skip = 0 } \
	  !skip { print }' README.md >build/README.md
	@mv build/README.md README.md

.PHONY: man
man: ## write deploy/evald.1 from the commands and their options
	@$(MAKE) --no-print-directory -j2 binary
	@build/evald man >build/evald.1
	@mv build/evald.1 deploy/evald.1

.PHONY: clean
clean: ## remove build/
	rm -rf build

.PHONY: help
help: ## print this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | \
	  awk -F '\t' '{printf "  make %-8s %s\n", $$1, $$2}'

-include $(shell find $(O) -name '*.d' 2>/dev/null)
