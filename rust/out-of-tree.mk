# SPDX-License-Identifier: GPL-2.0-only
#
# What the kernel's tree does not have yet: bindings and macros of our own, and
# ways around. The series for the kernel comes without this file.

obj-$(CONFIG_INITOVERLAYFS) += rust/sys/around.o rust/sys/vfs/helpers.o

# The VFS-internal prototypes of fs/internal.h.
CFLAGS_rust/sys/around.o += -I$(srctree)/fs

ioverlay-macros := $(shell MAKEFLAGS= $(RUSTC) --print file-names \
	--crate-name initoverlayfs_macros --crate-type proc-macro - </dev/null)
ioverlay-bindings := rust/sys/bindings/bindings_generated.rs

RUSTFLAGS_rust/initoverlayfs.o = --cfg out_of_tree \
	--extern initoverlayfs_macros=$(obj)/rust/$(ioverlay-macros)

$(obj)/rust/initoverlayfs.o: private export INITOVERLAYFS_BINDINGS = \
	$(abspath $(obj)/$(ioverlay-bindings))
$(obj)/rust/initoverlayfs.o: $(obj)/$(ioverlay-bindings) \
	$(obj)/rust/$(ioverlay-macros)

# Functions and types that the kernel crate does not bind. What they refer to
# comes from the kernel crate's bindings, so that both speak of the same types.
bindgen-flags := -w -fno-builtin -D__BINDGEN__ $(KBUILD_CPPFLAGS) $(LINUXINCLUDE) \
	$(filter -D%,$(KBUILD_CFLAGS)) \
	-include $(srctree)/include/linux/compiler_types.h \
	-I$(srctree)/fs -std=gnu11 -fms-extensions -funsigned-char -fshort-wchar
bindgen-target-$(CONFIG_X86_64) := --target=x86_64-linux-gnu
bindgen-target-$(CONFIG_ARM64) := --target=aarch64-linux-gnu
bindgen-target-$(CONFIG_RISCV) := --target=riscv64-linux-gnu

quiet_cmd_ioverlay_bindgen = BINDGEN $@
      cmd_ioverlay_bindgen = \
	$(BINDGEN) $< $(shell grep -Ev '^\#|^$$' $(src)/rust/sys/bindings/bindgen_parameters) \
		--rust-target 1.85 --use-core --ctypes-prefix ffi --no-layout-tests \
		--no-debug '.*' --no-doc-comments --no-recursive-allowlist -o $@ -- \
		$(bindgen-flags) $(bindgen-target-y) -Wp,-MMD,$(depfile); \
	sed -Ei 's/pub const RUST_CONST_HELPER_/pub const /; \
		s/pub fn (rust_helper_(\w+))/\#[link_name="\1"]\n    pub fn \2/' $@

$(obj)/$(ioverlay-bindings): $(src)/rust/sys/bindings/out-of-tree.h \
		$(src)/rust/sys/bindings/bindgen_parameters FORCE
	$(call if_changed_dep,ioverlay_bindgen)

# The kernel builds syn, quote and proc-macro2 for its own macros.
quiet_cmd_ioverlay_procmacro = $(RUSTC_OR_CLIPPY_QUIET) P $@
      cmd_ioverlay_procmacro = \
	$(RUSTC_OR_CLIPPY) $(rust_common_flags) \
		-Clinker-flavor=gcc -Clinker=$(HOSTCC) \
		-Clink-args='$(call escsq,$(KBUILD_PROCMACROLDFLAGS))' \
		--emit=dep-info=$(depfile) --emit=link=$@ --crate-type proc-macro \
		-L$(objtree)/rust/host \
		--extern proc_macro --extern proc_macro2 --extern quote --extern syn \
		--crate-name initoverlayfs_macros $<

$(obj)/rust/$(ioverlay-macros): $(src)/rust/macros/lib.rs FORCE
	+$(call if_changed_dep,ioverlay_procmacro)

targets += $(ioverlay-bindings) rust/$(ioverlay-macros)
