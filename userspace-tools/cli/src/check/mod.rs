// SPDX-License-Identifier: GPL-2.0-only

//! Judging whether a kernel boots an initrd: `check`.
//!
//! Facts about the initrd come from describe. May use: describe, terminal.

pub mod boots_in_place;
pub mod kernel;
