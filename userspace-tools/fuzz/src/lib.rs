// SPDX-License-Identifier: GPL-2.0-only

//! Code that the fuzz targets share.
//!
//! A target turns the fuzzer's bytes into an input, runs the code of `rust/` on it, and compares:
//! with a [`reference`] that says the same in the plainest way, and with what the code's doc
//! comments promise, the [`promises`].

#[path = "../../core/tests/common/mod.rs"]
pub mod contents;
pub mod pieces;
pub mod promises;
pub mod reference;
