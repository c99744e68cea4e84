// SPDX-License-Identifier: GPL-2.0-only

//! Describing the segments of an initrd, one by one.

use anyhow::Result;
use initoverlayfs_core::hash;
use initoverlayfs_core::initrd::filesystem::{Filesystem, Geometry};
use initoverlayfs_core::initrd::seal::Seal;
use initoverlayfs_image::erofs::{Sizes, Superblock};
use initoverlayfs_image::initrd::{Archive, Layer, Part};
use initoverlayfs_image::kernel_decompressors::demands;
use initoverlayfs_image::other_superblocks::Facts;

use crate::describe::description::{Content, CpioArchive, Image, OtherImage, Sealed, Segment};
use crate::describe::sizes::Counted;
use crate::terminal::summary::shown;

/// Describes a segment.
///
/// # Errors
///
/// Errors of [`Superblock::parse`].
pub fn describe(bytes: &[u8], layer: &Layer) -> Result<Segment> {
    let content = match &layer.part {
        Part::Image(Filesystem::Erofs, _) => Content::Erofs(Box::new(image(bytes, layer)?)),
        Part::Image(filesystem, geometry) => {
            let image = other(bytes, layer, *filesystem, *geometry);
            match filesystem {
                Filesystem::Btrfs => Content::Btrfs(image),
                Filesystem::Squashfs => Content::Squashfs(image),
                Filesystem::Erofs | Filesystem::Ext4 => Content::Ext4(image),
            }
        }
        Part::Archives(archives) => Content::Cpio {
            archives: archives.iter().map(|one| archive(bytes, one)).collect(),
        },
        Part::Unknown => Content::Unknown,
    };
    Ok(Segment {
        offset: layer.range.start,
        size: layer.range.len(),
        content,
    })
}

fn sealed(bytes: &[u8], layer: &Layer) -> Option<Sealed> {
    let trailer = layer.trailer.clone();
    if trailer.is_empty() {
        return None;
    }
    let mut sealed = Sealed {
        offset: trailer.start,
        size: trailer.len(),
        digest: None,
        salt: String::new(),
        tree: 0,
        signature: 0,
        problem: None,
    };
    match Seal::parse(&bytes[trailer], layer.range.len()) {
        Ok(seal) => {
            sealed.digest = Some(format!("{:x}", seal.digest(hash)));
            sealed.salt = hex(seal.shape.salt());
            sealed.tree = seal.tree.len();
            sealed.signature = seal.signature.len();
        }
        Err(error) => sealed.problem = Some(error.to_string()),
    }
    Some(sealed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn other(
    bytes: &[u8],
    layer: &Layer,
    filesystem: Filesystem,
    geometry: Geometry,
) -> Box<OtherImage> {
    let facts = Facts::of(filesystem, &bytes[layer.range.clone()]);
    Box::new(OtherImage {
        block_size: geometry.block_size,
        uuid: facts.uuid.map(|uuid| hex(&uuid)),
        volume_name: shown(&facts.volume_name),
        inodes: facts.inodes,
        free: facts.free,
        build_time: facts.build_time,
        compression: facts.compression,
        seal: sealed(bytes, layer),
    })
}

fn image(bytes: &[u8], layer: &Layer) -> Result<Image> {
    let image = &bytes[layer.range.clone()];
    let superblock = Superblock::parse(image)?;
    Ok(Image {
        block_size: superblock.block_size(),
        uuid: hex(&superblock.uuid),
        volume_name: shown(&superblock.volume_name),
        inodes: superblock.inodes,
        build_time: superblock.build_time,
        features: superblock.features(),
        unknown_features: superblock.unknown_features(),
        compression: superblock.algorithms(),
        sizes: Counted(Sizes::of(image)),
        seal: sealed(bytes, layer),
    })
}

fn archive(bytes: &[u8], archive: &Archive) -> CpioArchive {
    let stored = &bytes[archive.range.clone()];
    let entries = archive.entries().filter_map(|entry| entry.ok());
    CpioArchive {
        offset: archive.range.start,
        size: archive.range.len(),
        unpacked: archive.plain.len(),
        compression: archive.method.map(|method| method.to_string()),
        entries: entries.filter(|entry| !entry.is_trailer()).count(),
        early: archive.is_early(),
        demands: archive
            .method
            .map(|method| demands(method, stored))
            .unwrap_or_default(),
    }
}
