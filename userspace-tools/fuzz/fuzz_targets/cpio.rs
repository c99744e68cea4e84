// SPDX-License-Identifier: GPL-2.0-only

//! The reach of archives.

#![no_main]

use initoverlayfs_fuzz::promises::check_walk;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| check_walk(bytes));
