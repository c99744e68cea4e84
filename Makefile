# SPDX-License-Identifier: GPL-2.0-only
#
# For people. The kernel's build reads Kbuild, never this file.

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Scripts read these from the environment.
export ARCH FEW INITRD APPEND KDIR KVERSION MEM SMP ACCEL J CONFIG FUZZ_TARGET RUNS BOOTS BENCH DESTDIR PREFIX COMMAND SUITE CACHE FLAVOUR

# Every target may stand alone: the first step is to find or install the tools,
# which costs nothing when that is done.
.PHONY: help setup kernel kernel-deb image tools install uninstall deb run shell test test-debug test-locked test-kexec test-lsm test-distro test-kernel-deb test-clean vng fuzz mutate bench profile
.PHONY: check check-configs series series-check graft ungraft clean distclean

help:
	@sed -n 's/^## \?//p' $(firstword $(MAKEFILE_LIST))

## initoverlayfs: boot an EROFS initrd in place.
##
##   make run        boot the demo image, check what it reports, exit 0 if right
##   make shell      the same root, with a shell on the console
##   make test       host unit tests and all boot scenarios
##   make test-debug the boot scenarios on the debug kernel (KASAN, lockdep, ...)
##   make test-locked a kernel that takes no initrd but a signed image
##   make test-kexec kernels that are started by kexec, and after a panic
##   make test-lsm   SELinux and IMA on the initial root
##   make test-distro real distributions, converted and booted (10 minutes)
##   make test-kernel-deb  the packages of make kernel-deb, on a real Debian (minutes after that)
##   make test-clean make run and make test on a clean Debian (an hour or two)
##   make vng        the kernel under virtme-ng: a command on this machine's files
##   make fuzz       fuzz what reads the initrd and the boot parameter
##   make mutate     boot 500 mutated initrds (BOOTS=N)
##   make check      formatting, lints, checkpatch
##   make check-configs  our objects in other configurations, some of them booted (an hour)
##   make series     the patches that would be sent to the kernel's lists, into build/series
##   make series-check  applies and checks them, and builds a kernel after each (long)
##   make bench      time and memory against stock initramfs, into Documentation/benchmark.rst (long)
##   make profile    where the instructions to /init go, by function of the kernel
##
##   make setup      find or install the tools and sources (into build/)
##   make kernel     build/x86_64/bzImage and build/x86_64/config (build/arm64/Image)
##   make kernel-deb Debian's kernel with initoverlayfs, as packages in build/kernel-deb (an hour or more)
##   make image      build/demo.erofs
##   make tools      build/bin/initoverlayfs, the command
##   make install    puts it into DESTDIR/PREFIX; with PREFIX=/usr also the distributions' hooks
##   make uninstall  takes that out again
##   make deb        a Debian package of that, in build/
##   make graft      put our directory into KDIR; make ungraft takes it out
##   make clean      remove results; make distclean also downloads and the graft
##
## Variables:
##   ARCH=NAME       the machine: x86_64, arm64 or riscv64; else the one this runs on
##   KDIR=DIR        a Linux tree of yours, 7.3 or newer (else Debian's is fetched)
##   KVERSION=newest the newest Linux of Debian's suites, release candidates included
##   INITRD=FILE     what to boot instead of the demo image; nothing is checked then
##   APPEND=TEXT     added to the kernel's command line
##   MEM=1G          the guest's memory
##   SMP=2           the guest's processors
##   ACCEL=kvm|tcg   else a short trial decides
##   FUZZ_TARGET=NAME the one fuzz target to run: see userspace-tools/fuzz/fuzz_targets
##   RUNS=N          executions of each fuzz target; else 200000
##   CONFIG=NAME     with kernel, run, shell, test, mutate: the kernel of scripts/config/variants/NAME.config
##   BOOTS=N         boots of make mutate; else 500
##   BENCH=wall      with bench: on two processors by an ordinary clock, instead of counting
##   FEW=1           with test: some of the boots, and nothing else
##   SUITE=NAME      with test-clean, test-distro: another Debian than trixie, such as sid
##   CACHE=1         with test-clean: the packages in build/download are not fetched again
##   FLAVOUR=NAME    with kernel-deb: amd64, cloud-amd64, arm64 or cloud-arm64; else cloud- and ARCH
##   COMMAND=TEXT    with vng: what to run instead of a look around
##   DESTDIR, PREFIX  with install; PREFIX is /usr/local unless told
##   J=N             build jobs; else one for each processor

.PHONY: arguments ready
arguments:
	@scripts/arguments $(MAKECMDGOALS)

setup: arguments
	@scripts/setup

ready: arguments
	@scripts/setup --quiet

kernel: ready
	@scripts/kernel

kernel-deb: ready
	@scripts/kernel-deb

image: tools
	@scripts/image

tools: ready
	@scripts/tools

# As root perhaps, who should build nothing.
install:
	@scripts/install

uninstall:
	@scripts/install --remove

deb: tools
	@scripts/deb

# An image of the user's makes ours unnecessary.
run: kernel $(if $(INITRD),,image)
	@scripts/run

shell: kernel $(if $(INITRD),,image)
	@scripts/run --shell

test: kernel tools
	@scripts/test

test-debug: tools
	@$(MAKE) kernel CONFIG=debug
	@CONFIG=debug scripts/test

test-locked: tools
	@$(MAKE) kernel CONFIG=locked
	@CONFIG=locked scripts/test

test-kexec: tools
	@$(MAKE) kernel CONFIG=kexec
	@CONFIG=kexec scripts/test

test-lsm: tools
	@$(MAKE) kernel CONFIG=lsm
	@CONFIG=lsm scripts/test

test-distro: kernel tools
	@scripts/distro --install
	@scripts/test --distro

test-kernel-deb: kernel-deb tools
	@scripts/distro --kernel
	@scripts/test --kernel

# In a system of its own: this one needs no tools.
test-clean: arguments
	@scripts/clean

vng: kernel tools
	@scripts/vng

fuzz: ready
	@scripts/fuzz

mutate: kernel
	@scripts/mutate

bench: kernel tools
	@scripts/bench

profile: kernel $(if $(INITRD),,image)
	@scripts/profile

check: ready
	@scripts/check

check-configs: ready
	@scripts/configs

series: ready
	@scripts/series

series-check: ready
	@scripts/series --check

graft: ready
	@. build/tools.env && scripts/graft "$$KDIR"

ungraft:
	@kdir=$${KDIR:-$$(sed -n 's/^KDIR=//p' build/tools.env 2>/dev/null)}; \
	[ -z "$$kdir" ] || scripts/graft --remove "$$kdir"

# Keeps what was downloaded, and the tools that were built from it.
clean:
	rm -rf build/series build/kernel-deb build/x86_64 build/x86_64-* build/arm64* build/riscv64* build/target* build/fixtures build/bench* build/fuzz build/demo build/demo[-.]* build/run.log* build/profile*.folded build/.image-key* build/.accel

distclean:
	@kdir=$$(sed -n 's/^KDIR=//p' build/tools.env 2>/dev/null); \
	[ ! -d "$$kdir" ] || scripts/graft --remove "$$kdir"
	rm -rf build
