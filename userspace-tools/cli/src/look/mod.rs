// SPDX-License-Identifier: GPL-2.0-only

//! Looking into initrds: `inspect`, `ls`, `diff`, `cat` and `extract`.
//!
//! Judgements are in check. May use: describe, terminal.

pub mod extract;
pub mod inspect;
pub mod list;
pub mod merged_tree;
