// SPDX-License-Identifier: GPL-2.0-only

//! Judging: whether a kernel boots an initrd (`check`), and where this system stands (`status`).
//!
//! Facts about the initrd come from describe. May use: describe,
//! measure, terminal.

pub mod boots_in_place;
pub mod kernel;
pub mod status;
