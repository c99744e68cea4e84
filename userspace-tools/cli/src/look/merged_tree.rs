// SPDX-License-Identifier: GPL-2.0-only

//! The tree that commands work on: that of all layers, or of one.

use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use clap::Args;
use initoverlayfs_image::initrd::{self, Layer, Part};
use initoverlayfs_image::tree::Tree;

use crate::terminal::streams::{self, input_name};

/// Which file, and which of its layers.
#[derive(Args)]
pub struct Selection {
    /// An initrd or an initramfs; `-` for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only this layer, counted from 0 as `inspect` does
    #[arg(long, value_name = "NUMBER")]
    layer: Option<usize>,
}

impl Selection {
    /// Returns its tree.
    pub fn tree(&self) -> Result<Tree> {
        let bytes = streams::read_initrd(&self.file)?;
        self.tree_of(bytes.bytes())
            .with_context(|| input_name(&self.file))
    }

    fn tree_of(&self, bytes: &[u8]) -> Result<Tree> {
        let layers = initrd::read(bytes)?;
        let is_known = |layer: &Layer| !matches!(layer.part, Part::Unknown);
        ensure!(
            layers.iter().any(is_known),
            "there is no image and no archive in it"
        );
        let Some(number) = self.layer else {
            return Ok(initrd::merge_layers(bytes, &layers)?);
        };
        let layer = layers.get(number).with_context(|| {
            format!(
                "there is no layer {number}: the file has {}, from 0 on",
                layers.len()
            )
        })?;
        Ok(initrd::merge_layers(bytes, [layer])?)
    }
}

/// Returns the tree of all layers of a file.
pub fn all_of(file: &Path) -> Result<Tree> {
    Selection {
        file: file.to_owned(),
        layer: None,
    }
    .tree()
}

/// Returns a path as the user gives it, as a tree has it.
pub fn normal(path: &str) -> Vec<u8> {
    let parts = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/").into_bytes()
}
