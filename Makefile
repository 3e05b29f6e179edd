# SPDX-License-Identifier: Apache-2.0
# A front door to Meson: everything here is a short name for a command that can be typed as well.

BUILD    ?= build
PREFIX   ?= /usr
JOBS     ?= $(shell nproc)
PROGRAMS := heddled heddle heddle-lab heddle-sim

.PHONY: build bench results deps deps-bench deps-long check check-long demo clean install format

build: $(BUILD)/build.ninja
	ninja -j $(JOBS) -C $(BUILD)
	@tools/link-programs.sh $(BUILD) $(PROGRAMS)

$(BUILD)/build.ninja:
	meson setup --prefix=$(PREFIX) $(BUILD)

# Debian 12 packages to build and run with; says what it installs, and installs only what is missing.
deps:
	tools/deps.sh build

deps-long:
	tools/deps.sh long

# Some 15 minutes on 2 cores; the labs in it need root and are skipped without.
check:
	tools/deps.sh check
	tests/run-check.sh

# Hours: thread sanitizer, valgrind, static analysis, fuzzing, benchmarks. PARTS="tidy soak" runs some of it.
check-long:
	tools/deps.sh long
	tests/check-long.sh $(PARTS)

# On a fresh machine too. Needs root: the machines are network namespaces.
demo:
	@test "$$(id -u)" = 0 || { echo 'demo: network namespaces need root: sudo make demo' >&2; exit 1; }
	tools/deps.sh build
	@$(MAKE) --no-print-directory build
	tools/demo.py $(BUILD)

# Heddle beside babeld, BIRD and yggdrasil, and hot operations; writes doc/results/. Needs root, a
# quiet machine and an hour; BENCH_ARGS are options of bench/peers (parts, trials, ...).
BENCH_BUILD ?= build-release
bench: deps-bench
	test -e $(BENCH_BUILD)/build.ninja || meson setup --buildtype=release $(BENCH_BUILD)
	ninja -j $(JOBS) -C $(BENCH_BUILD)
	bench/micro.sh $(BENCH_BUILD)
	python3 bench/peers --build $(BENCH_BUILD) $(BENCH_ARGS)

deps-bench:
	tools/deps.sh bench

# How KIRA grows, by simulation; writes doc/results/kira-scale.md. SIZES, SEEDS, JOBS say how much.
results:
	test -e $(BENCH_BUILD)/build.ninja || meson setup --buildtype=release $(BENCH_BUILD)
	ninja -j $(JOBS) -C $(BENCH_BUILD) src/sim/heddle-sim tests/sim/kira-scale
	JOBS=$(JOBS) bench/scale.sh $(BENCH_BUILD)

install: build
	meson install -C $(BUILD)

format:
	git ls-files '*.c' '*.h' | xargs clang-format -i

clean:
	rm -rf $(BUILD) build-check
