// SPDX-License-Identifier: GPL-2.0-only

//! The message when there is no room for an image.

use std::env;
use std::path::Path;

use anyhow::{anyhow, Error};
use initoverlayfs_image::disk_space;

/// Returns why there is no image at `image`. To be asked while what was made of it is there.
///
/// `mkfs.erofs` writes on where the disk is full, and complains of a bad checksum when it reads that back.
pub fn explain(error: impl Into<Error>, image: &Path) -> Error {
    let temporary = env::temp_dir();
    let beside = image.parent().unwrap_or(&temporary);
    let Some(full) = [beside, &temporary]
        .into_iter()
        .find(|p| disk_space::is_full(p))
    else {
        return error.into();
    };
    // `.` says little.
    let full = full.canonicalize().unwrap_or_else(|_| full.to_owned());
    anyhow!("{}: the disk is full: the image needs more", full.display())
}
