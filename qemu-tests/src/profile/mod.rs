// SPDX-License-Identifier: GPL-2.0-only
//! Where the guest's instructions go, by function of the kernel.
//!
//! One boot on the clock that counts instructions, with a plugin (`plugin/`) in the emulator that counts
//! them by call stack ([`boot`]). The plugin is told the kernel's functions ([`symbols`]); what it has
//! counted is read ([`stacks`]), summed up ([`window`]) and printed ([`table`]).

pub mod boot;
pub mod stacks;
pub mod symbols;
pub mod table;
pub mod window;
