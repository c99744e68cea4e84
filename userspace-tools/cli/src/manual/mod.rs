// SPDX-License-Identifier: GPL-2.0-only

//! Writing the manual pages and shell completions that `make install` puts in place.
//!
//! Texts of options stand beside the options. May use: none, but for the definition of all arguments.

pub mod generate;
pub mod pages;
pub mod variables;
