// SPDX-License-Identifier: GPL-2.0-only

//! Options for where an image goes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::terminal::files::create;
use crate::terminal::streams::{self, Target};

/// The place of the result.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// The file to make, which appears whole or not at all; `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    pub output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    pub quiet: bool,
    /// List the largest directories and files of the image, for erofs; as `initoverlayfs inspect --explain` does
    #[arg(long, conflicts_with = "quiet")]
    pub explain: bool,
    /// Leave tools alone that cannot hand over from this root, instead of replacing them
    #[arg(long)]
    pub no_handover_shim: bool,
}

impl OutputOptions {
    /// Starts the result.
    pub fn create(&self) -> Result<Target> {
        if streams::is_output(&self.output) {
            return Target::standard();
        }
        create(&self.output, self.force).map(Target::File)
    }

    /// Puts the result in its place; returns its size in bytes.
    pub fn finish(&self, target: Target) -> Result<u64> {
        target.finish().with_context(|| self.name())
    }

    /// Returns its name in messages.
    pub fn name(&self) -> String {
        if streams::is_output(&self.output) {
            "standard output".into()
        } else {
            self.output.display().to_string()
        }
    }
}
