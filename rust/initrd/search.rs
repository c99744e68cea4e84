// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an image, of whichever filesystem, and finding one in what says not where it ends.

use super::{
    erofs,
    image::{
        Checksums,
        Filesystem,
        Filesystems,
        Geometry,
        SuperblockError, //
    },
};

/// NUL bytes that every image found by [`find`] starts with, or stands behind.
const MIN_NULS: usize = 1024;

/// How far apart [`find`] probes. Every run of [`MIN_NULS`] holds a probed word.
const PROBE_STEP: usize = 512;

/// How many superblocks with a wrong checksum [`find`] puts up with, so that a hostile buffer full
/// of them does not take minutes. Chance makes none.
const MAX_STRAYS: usize = 256;

/// Reads the superblock of the image that starts where `bytes` does, which may be longer.
///
/// # Errors
///
/// Each [`SuperblockError`] that the filesystem can have.
pub fn parse(
    filesystem: Filesystem,
    bytes: &[u8],
    checksums: &Checksums,
) -> Result<Geometry, SuperblockError> {
    match filesystem {
        Filesystem::Erofs => erofs::parse(bytes, checksums),
        Filesystem::Btrfs | Filesystem::Squashfs | Filesystem::Ext4 => {
            Err(SuperblockError::NoSuperblock)
        }
    }
}

/// The image that begins in `bytes` with NULs only or behind NULs only, and where it begins.
///
/// `first_set` is where the first byte stands that is not NUL.
pub(super) fn recognise(
    bytes: &[u8],
    first_set: usize,
    kinds: Filesystems,
) -> Option<(Filesystem, usize)> {
    Filesystem::ALL
        .into_iter()
        .filter(|filesystem| kinds.contains(*filesystem))
        .find_map(|filesystem| {
            let start = match filesystem {
                Filesystem::Erofs => erofs::start(bytes, first_set),
                Filesystem::Btrfs | Filesystem::Squashfs | Filesystem::Ext4 => None,
            };
            Some((filesystem, start?))
        })
}

/// Finds the first sound image of one of `kinds` that starts with [`MIN_NULS`] NUL bytes; returns
/// its offset.
///
/// Meant for skipping over compressed data, where the magic may turn up by chance and every cache
/// line costs: one word in [`PROBE_STEP`] bytes is looked at, and only where it is zero, more.
pub fn find(bytes: &[u8], checksums: &Checksums, kinds: Filesystems) -> Option<usize> {
    let mut strays = 0usize;
    let mut at = 0usize;
    while let Some(word) = bytes.get(at..)?.first_chunk::<8>() {
        if *word == [0; 8] {
            let nul_from = bytes
                .get(..at)?
                .iter()
                .rposition(|byte| *byte != 0)
                .map_or(0, |last_set| last_set.saturating_add(1));
            let nul_to = at.checked_add(bytes.get(at..)?.iter().position(|byte| *byte != 0)?)?;
            let nuls = nul_to.checked_sub(nul_from)?;
            let candidate = recognise(bytes.get(nul_from..)?, nuls, kinds);
            if let Some((filesystem, start)) = candidate.filter(|_| nuls >= MIN_NULS) {
                let start = nul_from.checked_add(start)?;
                match parse(filesystem, bytes.get(start..)?, checksums) {
                    Ok(_) => return Some(start),
                    Err(SuperblockError::Checksum { .. }) if strays == MAX_STRAYS => return None,
                    Err(SuperblockError::Checksum { .. }) => strays = strays.saturating_add(1),
                    Err(_) => (),
                }
            }
            at = nul_to;
        }
        at = at.checked_add(PROBE_STEP)?;
    }
    None
}
