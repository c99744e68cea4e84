// SPDX-License-Identifier: GPL-2.0-only

//! Reports of the way to the root: in the log, in a panic, in debugfs.
//!
//! Nothing is decided here. May use: initrd, memory, parameter, policy, sys, words.

pub(crate) mod boot_report;
pub(crate) mod failure;
pub(crate) mod timeline;
