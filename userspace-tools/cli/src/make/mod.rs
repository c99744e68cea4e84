// SPDX-License-Identifier: GPL-2.0-only

//! Making images: `convert` and `create`.
//!
//! What an image is like is decided here. Writing it is the library's. May use: describe, authenticate, terminal.

pub mod convert;
pub mod create;
pub mod from_tree;
pub mod handover_program;
pub mod image_options;
pub mod output_options;
pub mod size_argument;
pub mod size_summary;
pub mod uncompressed_files;
