// SPDX-License-Identifier: GPL-2.0-only
//! What the host asks for, on the kernel command line: `probe.do=tree,write`.
//!
//! The kernel takes a parameter with a dot for one of a module that is not there, and passes it by.

use std::fs;

use anyhow::{Context, Result};

/// The orders of this boot.
pub struct Orders {
    names: Vec<String>,
}

impl Orders {
    /// Reads them from `/proc/cmdline`.
    pub fn from_command_line() -> Result<Self> {
        let line = command_line()?;
        let names = line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("probe.do="))
            .flat_map(|list| list.split(','))
            .map(str::to_owned)
            .collect();
        Ok(Self { names })
    }

    /// Returns whether the host asked for `name`.
    pub fn has(&self, name: &str) -> bool {
        self.names.iter().any(|order| order == name)
    }
}

/// Returns what follows this in a word of the kernel command line, for the last such word.
pub fn parameter(prefix: &str) -> Result<Option<String>> {
    let line = command_line()?;
    Ok(line
        .split_whitespace()
        .filter_map(|word| word.strip_prefix(prefix))
        .next_back()
        .map(str::to_owned))
}

/// Reads `/proc/cmdline`.
fn command_line() -> Result<String> {
    fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")
}
