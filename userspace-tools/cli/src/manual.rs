// SPDX-License-Identifier: GPL-2.0-only

//! `initoverlayfs manual`: the manual pages and shell completions that `make install` puts in place.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::Verdict;

/// Write manual pages and shell completions.
#[derive(Args)]
pub struct Arguments {
    /// Where to; it is made if it is missing
    directory: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<Verdict> {
    let directory = &arguments.directory;
    std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
    let mut command = crate::Arguments::command();
    clap_mangen::generate_to(command.clone(), directory)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "initoverlayfs", directory)?;
    }
    Ok(Verdict::Good)
}
