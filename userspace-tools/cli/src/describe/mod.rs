// SPDX-License-Identifier: GPL-2.0-only

//! Describing an initrd as the kernel sees it, for those that show it and for those that judge it.
//!
//! Nothing is printed here. May use: terminal, for names as they are shown.

pub mod description;
pub mod examine;
pub mod largest;
pub mod segments;
pub mod sizes;
pub mod unsuited_programs;
