// SPDX-License-Identifier: GPL-2.0-only

//! The scanner over any bytes.

#![no_main]

use initoverlayfs_fuzz::promises::check_scan;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check_scan(bytes);
});
