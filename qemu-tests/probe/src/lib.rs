// SPDX-License-Identifier: GPL-2.0-only
//! What the probe and the host agree on: how a file tree is put into lines of text.
//!
//! The host walks the tree it built, the guest walks the root it was given, and the host compares
//! the lines. The guest judges nothing itself, so a broken read cannot vouch for itself.

pub mod entry;
pub mod marker;
