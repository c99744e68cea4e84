// SPDX-License-Identifier: GPL-2.0-only

//! Recognising an image, of whichever filesystem, and finding one in what says not where it ends.

use super::{
    btrfs,
    erofs,
    ext4,
    filesystem::{
        first_set,
        Checksums,
        Filesystem,
        Filesystems,
        Geometry,
        SuperblockError, //
    },
    squashfs, //
};

/// NUL bytes in front of the superblock of every image that is found by [`find`]. A file that is
/// stored in a compressed archive as it is has none of them in front.
const MIN_NULS: usize = 1024;

/// The distance between two probes of [`find`]. Every run of [`MIN_NULS`] holds a probed word.
const PROBE_STEP: usize = 512;

/// The most superblocks with a wrong checksum that [`find`] puts up with, so that a hostile buffer
/// full of them does not take minutes. Chance makes none.
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
        Filesystem::Btrfs => btrfs::parse(bytes, checksums),
        Filesystem::Squashfs => squashfs::parse(bytes, checksums),
        Filesystem::Ext4 => ext4::parse(bytes, checksums),
    }
}

/// Returns whether the image that starts where `bytes` does has the filesystem's magic.
pub fn has_magic(filesystem: Filesystem, bytes: &[u8]) -> bool {
    match filesystem {
        Filesystem::Erofs => erofs::has_magic(bytes),
        Filesystem::Btrfs => btrfs::has_magic(bytes),
        Filesystem::Squashfs => squashfs::has_magic(bytes),
        Filesystem::Ext4 => ext4::has_magic(bytes),
    }
}

/// Returns where the filesystem's superblock is in an image, and the NULs that it may begin with.
fn place(filesystem: Filesystem) -> (usize, usize) {
    match filesystem {
        Filesystem::Erofs => (erofs::SUPER_OFFSET, 0),
        Filesystem::Btrfs => (btrfs::SUPER_OFFSET, btrfs::LEADING_NULS),
        Filesystem::Squashfs => (squashfs::SUPER_OFFSET, 0),
        Filesystem::Ext4 => (ext4::SUPER_OFFSET, ext4::LEADING_NULS),
    }
}

/// Returns the image in `bytes` whose superblock is the first thing there that is not NUL, and
/// where the image begins.
///
/// `nuls` is the number of NUL bytes at the start.
pub(super) fn recognise(
    bytes: &[u8],
    nuls: usize,
    kinds: Filesystems,
) -> Option<(Filesystem, usize)> {
    let start = |filesystem| {
        let (offset, own_nuls) = place(filesystem);
        (nuls.saturating_sub(own_nuls)..=nuls).find_map(|superblock| {
            let start = superblock.checked_sub(offset)?;
            has_magic(filesystem, bytes.get(start..)?).then_some((filesystem, start))
        })
    };
    Filesystem::ALL
        .into_iter()
        .filter(|filesystem| kinds.contains(*filesystem))
        .find_map(start)
}

/// Finds the first sound image of one of `kinds` that starts with [`MIN_NULS`] NUL bytes, or, as
/// squashfs has none of its own, behind them; returns its offset.
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
            let nul_to = at.checked_add(first_set(bytes.get(at..)?)?)?;
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
