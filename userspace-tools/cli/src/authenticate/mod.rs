// SPDX-License-Identifier: GPL-2.0-only

//! Making images authentic and finding out whether they are: `seal`, `sign`, `digest` and `verify`.
//!
//! The trailer's format is the library's. May use: terminal.

pub mod digest;
pub mod seal_and_sign;
pub mod signature;
pub mod token;
pub mod verify;
