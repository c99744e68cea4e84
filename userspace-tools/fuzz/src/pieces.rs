// SPDX-License-Identifier: GPL-2.0-only

//! Buffers that are nearly right: put together from what an initrd consists of.

use std::ops::Range;

use initoverlayfs_core::{initrd::filesystem::Filesystem, trailer};
use libfuzzer_sys::arbitrary::{self, Arbitrary, Result, Unstructured};

use crate::{
    contents::{
        self,
        others::{set_btrfs_checksum, set_ext4_checksum, Btrfs, Ext4, Squashfs},
        Image,
    },
    reference::{
        self,
        images::{self, Format},
    },
};

/// Pieces in one buffer, at most.
const MAX_PIECES: usize = 12;

/// A buffer as a list of pieces, some bytes of which are then overwritten.
#[derive(Arbitrary, Debug)]
pub struct Buffer<'a> {
    /// Three bytes each: where, as a fraction of the buffer, and what.
    overwrite: &'a [u8],
    #[arbitrary(with = some_pieces)]
    pieces: Vec<Piece<'a>>,
}

/// One of the things that bootloaders concatenate.
#[derive(Arbitrary, Debug)]
pub enum Piece<'a> {
    /// An EROFS image.
    Image(FuzzedImage<'a>),
    /// An image of another filesystem.
    Other(FuzzedOther<'a>),
    /// An entry of a cpio archive.
    Entry(FuzzedEntry<'a>),
    /// A complete archive with one file.
    Archive(&'a [u8]),
    /// Something with a compression magic.
    Compressed(#[arbitrary(with = magic)] [u8; 2], &'a [u8]),
    /// NULs.
    Padding(#[arbitrary(with = padding)] usize),
    /// Anything.
    Raw(&'a [u8]),
}

/// An EROFS image, sound if nothing is overwritten and nothing is cut.
#[derive(Arbitrary, Debug)]
pub struct FuzzedImage<'a> {
    /// Mostly small ones, as bytes take time.
    #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[9, 9, 10, 11, 12, 12, 13, 16]).copied())]
    block_bits: u8,
    #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=4))]
    blocks: u8,
    has_checksum: bool,
    has_boot_code: bool,
    /// Two bytes each: where in the superblock, and what.
    overwrite: &'a [u8],
    /// Set if the checksum is computed last.
    is_sealed: bool,
    /// The trailer that seals it: how many blocks its header states, and how many it has.
    trailer: Option<(u8, bool)>,
    /// How many bytes are missing at the end.
    cut: Option<u16>,
}

/// An image of btrfs, squashfs or ext4, sound if nothing is overwritten and nothing is cut.
#[derive(Arbitrary, Debug)]
pub struct FuzzedOther<'a> {
    /// btrfs seldom, as it has so many bytes.
    #[arbitrary(with = other_filesystem)]
    filesystem: Filesystem,
    /// The block size or the kind of checksum, and whether there is one.
    variant: u8,
    has_checksum: bool,
    /// Of ext4: a number that may begin with NULs.
    inodes: u32,
    /// Three bytes each: where in the superblock, and what.
    overwrite: &'a [u8],
    /// Set if the checksum is computed last.
    is_sealed: bool,
    /// Set if there is a trailer of one block.
    has_trailer: bool,
    /// How many bytes are missing at the end.
    cut: Option<u16>,
}

/// An entry of a cpio archive, sound if nothing is overwritten.
#[derive(Arbitrary, Debug)]
pub struct FuzzedEntry<'a> {
    name: &'a str,
    body: &'a [u8],
    is_trailer: bool,
    /// Two bytes each: where in the header, and what.
    overwrite: &'a [u8],
    /// How many bytes are missing at the end.
    cut: Option<u8>,
}

fn some_pieces<'a>(u: &mut Unstructured<'a>) -> Result<Vec<Piece<'a>>> {
    u.arbitrary_iter()?.take(MAX_PIECES).collect()
}

fn other_filesystem(u: &mut Unstructured<'_>) -> Result<Filesystem> {
    u.choose(&[
        Filesystem::Squashfs,
        Filesystem::Ext4,
        Filesystem::Squashfs,
        Filesystem::Ext4,
        Filesystem::Btrfs,
    ])
    .copied()
}

fn magic(u: &mut Unstructured<'_>) -> Result<[u8; 2]> {
    u.choose(&reference::COMPRESSED).copied()
}

/// Picks a length. Those that matter are those around the 1024 bytes in front of a superblock.
fn padding(u: &mut Unstructured<'_>) -> Result<usize> {
    u.int_in_range(0..=2100)
}

/// Writes the second byte of each pair at the place that the first one says.
fn overwrite(bytes: &mut [u8], pairs: &[u8]) {
    for pair in pairs.chunks_exact(2) {
        let at = usize::from(pair[0]);
        if at < bytes.len() {
            bytes[at] = pair[1];
        }
    }
}

fn cut(bytes: &mut Vec<u8>, len: usize) {
    bytes.truncate(bytes.len().saturating_sub(len));
}

impl FuzzedImage<'_> {
    fn build(&self) -> Vec<u8> {
        let is_large = self.block_bits > 12;
        let mut image = Image {
            block_bits: self.block_bits,
            blocks: if is_large { 1 } else { self.blocks.into() },
            // Set below, as the smallest ones have no room for what the checksum covers.
            checksum: false,
            boot_code: if self.has_boot_code { 0xeb } else { 0 },
        }
        .build();
        image[1032] = self.has_checksum.into();
        if self.has_checksum {
            images::set_checksum(&mut image);
        }
        overwrite(&mut image[1024..1152], self.overwrite);
        if self.is_sealed {
            images::set_checksum(&mut image);
        }
        if let Some((blocks, is_whole)) = self.trailer {
            add_trailer(&mut image, blocks, is_whole);
        }
        cut(&mut image, self.cut.map_or(0, usize::from));
        image
    }
}

/// Adds a trailer whose header states so many blocks, and which may not have them.
fn add_trailer(image: &mut Vec<u8>, blocks: u8, is_whole: bool) {
    image.resize(image.len().next_multiple_of(4096), 0);
    let len = usize::from(blocks % 4) * 4096;
    let header = trailer::header(len, 0);
    let end = image.len() + if is_whole { len } else { 0 };
    image.extend(header);
    image.resize(end.max(image.len()), 0);
}

impl FuzzedOther<'_> {
    /// Returns which filesystem it is of.
    pub fn filesystem(&self) -> Filesystem {
        self.filesystem
    }

    /// Returns its bytes.
    pub fn build(&self) -> Vec<u8> {
        let format = Format::of(self.filesystem);
        let mut image = match self.filesystem {
            Filesystem::Btrfs => Btrfs {
                checksum: u16::from(self.variant % 5),
                size: 0x11000,
                ..Btrfs::default()
            }
            .build(),
            Filesystem::Squashfs => Squashfs {
                block_log: 12 + u16::from(self.variant % 9),
                size: 100 + usize::from(self.variant),
            }
            .build(),
            _ => Ext4 {
                log_block_size: u32::from(self.variant % 3),
                blocks: 2 + u32::from(self.variant / 128),
                inodes: self.inodes.max(1),
                checksum: self.has_checksum,
            }
            .build(),
        };
        for change in self.overwrite.chunks_exact(3) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]]));
            image[format.superblock + at % format.len] = change[2];
        }
        match self.filesystem {
            Filesystem::Btrfs if self.is_sealed => set_btrfs_checksum(&mut image),
            Filesystem::Ext4 if self.is_sealed => set_ext4_checksum(&mut image),
            _ => (),
        }
        if self.has_trailer {
            add_trailer(&mut image, 1, true);
        }
        cut(&mut image, self.cut.map_or(0, usize::from));
        image
    }
}

impl FuzzedEntry<'_> {
    fn build(&self) -> Vec<u8> {
        let name = if self.is_trailer {
            "TRAILER!!!"
        } else {
            self.name
        };
        let mut entry = contents::entry(name, self.body);
        overwrite(&mut entry[..110], self.overwrite);
        cut(&mut entry, self.cut.map_or(0, usize::from));
        entry
    }
}

impl Piece<'_> {
    fn build(&self) -> Vec<u8> {
        match self {
            Self::Image(image) => image.build(),
            Self::Other(image) => image.build(),
            Self::Entry(entry) => entry.build(),
            Self::Archive(body) => contents::archive("file", body),
            Self::Compressed(magic, body) => [magic, *body].concat(),
            Self::Padding(len) => vec![0; *len],
            Self::Raw(bytes) => bytes.to_vec(),
        }
    }
}

/// What a [`Buffer`] amounts to.
#[derive(Debug)]
pub struct Built {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Where the images are that are sound and complete, if nothing was overwritten.
    pub images: Vec<(Filesystem, Range<usize>)>,
    /// The same for archives of one file.
    pub archives: Vec<Range<usize>>,
}

impl Buffer<'_> {
    /// Puts the pieces together.
    pub fn build(&self) -> Built {
        let mut built = Built {
            bytes: Vec::new(),
            images: Vec::new(),
            archives: Vec::new(),
        };
        for piece in &self.pieces {
            let start = built.bytes.len();
            let bytes = piece.build();
            let range = start..start + bytes.len();
            match piece {
                Piece::Image(_) | Piece::Other(_) => {
                    let found = complete_image(&bytes);
                    built.images.extend(found.map(|found| (found, range)));
                }
                Piece::Archive(_) => built.archives.push(range),
                _ => (),
            }
            built.bytes.extend(bytes);
        }
        let len = built.bytes.len();
        for change in self.overwrite.chunks_exact(3) {
            let fraction = usize::from(u16::from_le_bytes([change[0], change[1]]));
            let at = (fraction * len) >> 16;
            if let Some(byte) = built.bytes.get_mut(at) {
                *byte = change[2];
                built.images.clear();
                built.archives.clear();
            }
        }
        built
    }
}

/// Returns what it is an image of, if it is one, and nothing else.
fn complete_image(bytes: &[u8]) -> Option<Filesystem> {
    let (filesystem, _) = images::image(bytes, 0).filter(|(_, start)| *start == 0)?;
    let geometry = images::superblock(filesystem, bytes).ok()?;
    (geometry.size == bytes.len()).then_some(filesystem)
}
