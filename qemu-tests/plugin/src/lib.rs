// SPDX-License-Identifier: GPL-2.0-only
//! A plugin of QEMU's emulator: where the guest's instructions go on their way from `claim` to `/init`, by
//! call stack of the kernel.
//!
//! QEMU counts the instructions ([`qemu`]). At each block of code that runs, the plugin looks at where the
//! guest is ([`symbols`]) and at its stack pointer, and follows from these two who has called whom
//! ([`stacks`], [`tree`]; [`machine`]) and which part of the boot it is ([`phases`]). When `/init` runs its first instruction
//! it writes one line for each stack, `phase;caller;callee instructions`, and is done ([`profiler`]).

#![cfg(target_pointer_width = "64")]

pub mod machine;
pub mod phases;
pub mod profiler;
#[cfg(not(test))] // A test has no emulator to be linked with.
#[allow(unsafe_code, reason = "QEMU's interface is C")]
pub mod qemu;
pub mod stacks;
pub mod symbols;
pub mod tree;
