// SPDX-License-Identifier: GPL-2.0-only

//! Telling what this boot took of its initrd, and comparing boots: `stats`.
//!
//! Benchmarks are in qemu-tests. May use: terminal.

pub mod boot;
pub mod boot_table;
pub mod debugfs;
pub mod holders;
pub mod stats;
