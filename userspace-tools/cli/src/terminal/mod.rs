// SPDX-License-Identifier: GPL-2.0-only

//! Files, standard streams and messages: all that commands have in common.
//!
//! No command belongs here, and nothing about images. May use: no other folder.

pub mod disk_full;
pub mod files;
pub mod streams;
pub mod summary;
