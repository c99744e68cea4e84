// SPDX-License-Identifier: GPL-2.0-only

//! The content of the initrd buffer, as a bootloader left it: a sequence of [`Segment`]s.
//!
//! Bootloaders and boot stubs concatenate: a microcode archive, the main image, credentials and
//! system extensions, with NUL padding of any length (often none) in between. [`Scanner`] walks
//! such a buffer once, front to back, and yields each image of a filesystem and each run of cpio
//! archives with the bytes that belong to it.
//!
//! Everything here is pure: bytes in, values out. No allocation, no `unsafe`, no kernel calls. The
//! same files are compiled by the kernel and, on the host, by `cargo test` and the command. May
//! use: no other room.
//!
//! The rules, as `Documentation/image-format.rst` states them:
//!
//! * NUL bytes between segments are padding, except those in front of an image's superblock: 1024
//!   of EROFS and ext4, 65536 of btrfs, none of squashfs.
//! * An EROFS image starts where its magic stands 1024 bytes further on. It also starts 1024 bytes
//!   in front of its magic if there are only NULs in between. Images of other filesystems are found
//!   in the second way only, each with its own number of NULs. If the superblock is wrong, that is
//!   an error.
//! * Only images of the filesystems that the scanner is told to look for are images at all.
//! * `070701` and `070702` start a cpio archive, which is walked header by header, so that an image
//!   stored as a file inside it is not taken for a layer. Where the headers stop making sense
//!   before the archive's trailer, the archive is damaged: that is an error too.
//! * The magic of a compression method starts a compressed archive. It ends at the next sound image
//!   that has 1024 NUL bytes in front of its superblock. For squashfs these bytes are padding. An
//!   archive in the legacy format of LZ4 says itself where it ends, and is damaged if it reaches
//!   too far. Up to 3 NUL bytes in front of a compressed archive belong to it, so that it starts at
//!   a multiple of 4.
//! * Where an image is followed by a trailer that seals it ([`seal`]), the two are one segment.
//! * Anything else (a signature, a legacy ramdisk) is unknown, and reaches to the end of the
//!   buffer.

pub mod btrfs;
pub mod cpio;
pub mod digest;
pub mod erofs;
pub mod ext4;
pub mod filesystem;
pub mod lz4;
pub mod merkle;
mod messages;
pub mod seal;
mod search;
pub mod squashfs;

use core::ops::Range;

use filesystem::{
    Checksums,
    Filesystem,
    Filesystems,
    Geometry,
    SuperblockError, //
};
use seal::SealError;

pub use search::{
    find,
    has_magic,
    parse, //
};

/// The content of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An image, whose superblock has been checked.
    Image(Filesystem, Geometry),
    /// One or more cpio archives, plain or compressed: what the kernel's own unpacker takes.
    Cpio,
    /// Neither: nothing to make a layer of.
    Unknown,
}

impl Kind {
    /// Returns whether it is an image, of whichever filesystem.
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Image(..))
    }
}

/// A piece of the buffer that becomes one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The kind.
    pub kind: Kind,
    /// The place, in bytes from the start of the buffer. Never empty, never past the end.
    pub range: Range<usize>,
    /// The place of the trailer that seals it, behind it; empty, and at its end, if there is none.
    /// What the trailer says has not been looked at.
    pub trailer: Range<usize>,
}

impl Segment {
    /// Returns the range of the segment and its trailer.
    pub fn whole(&self) -> Range<usize> {
        self.range.start..self.trailer.end
    }
}

/// A broken segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// The first byte, counted from the start of the buffer.
    pub offset: usize,
    /// The problem.
    pub cause: Damage,
}

/// A problem of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// An image whose superblock cannot be right.
    Image(Filesystem, SuperblockError),
    /// An image with a broken trailer.
    Seal(SealError),
    /// A cpio archive that breaks off before its trailer.
    Cpio {
        /// The place where it does, in bytes from the start of the buffer.
        at: usize,
    },
}

/// Iterates over the segments of a buffer; after an error it yields nothing more.
pub struct Scanner<'a> {
    buffer: &'a [u8],
    checksums: &'a Checksums,
    kinds: Filesystems,
    position: usize,
}

impl<'a> Scanner<'a> {
    /// Starts at the first byte of `buffer`. Images of filesystems that are not among `kinds`
    /// become unknown segments.
    pub fn new(buffer: &'a [u8], checksums: &'a Checksums, kinds: Filesystems) -> Self {
        Self {
            buffer,
            checksums,
            kinds,
            position: 0,
        }
    }

    /// Returns the bytes from `offset` to the end of the buffer; empty if there are none.
    fn tail(&self, offset: usize) -> &'a [u8] {
        self.buffer.get(offset..).unwrap_or(&[])
    }

    /// Returns whether an image of this filesystem, which is to be looked for, starts where `tail`
    /// does.
    fn is(&self, filesystem: Filesystem, tail: &[u8]) -> bool {
        self.kinds.contains(filesystem) && has_magic(filesystem, tail)
    }

    /// Returns the next image and its start: at `position`, or behind NULs only. `first_set` is the
    /// place of the first byte that is not NUL.
    fn image_start(&self, first_set: usize) -> Option<(Filesystem, usize)> {
        let tail = self.tail(self.position);
        if self.is(Filesystem::Erofs, tail) {
            return Some((Filesystem::Erofs, self.position));
        }
        let padding = first_set.checked_sub(self.position)?;
        let (filesystem, start) = search::recognise(tail, padding, self.kinds)?;
        Some((filesystem, self.position.checked_add(start)?))
    }

    /// Takes the image at `start`.
    ///
    /// # Errors
    ///
    /// [`Damage::Image`] and [`Damage::Seal`].
    fn take_image(&mut self, filesystem: Filesystem, start: usize) -> Result<Segment, ScanError> {
        let geometry = match parse(filesystem, self.tail(start), self.checksums) {
            Ok(geometry) => geometry,
            Err(cause) => return Err(self.give_up(start, Damage::Image(filesystem, cause))),
        };
        // `parse` has checked that the image lies within the buffer.
        let end = start.saturating_add(geometry.size);
        let trailer = match self.trailer(start, geometry.size) {
            Ok(trailer) => trailer.unwrap_or(end..end),
            Err(cause) => return Err(self.give_up(start, Damage::Seal(cause))),
        };
        self.position = trailer.end;
        Ok(Segment {
            kind: Kind::Image(filesystem, geometry),
            range: start..end,
            trailer,
        })
    }

    /// Returns the range of the trailer of the image at `start`, if it has one.
    ///
    /// # Errors
    ///
    /// Errors of [`seal::extent`].
    fn trailer(&self, start: usize, len: usize) -> Result<Option<Range<usize>>, SealError> {
        let at = seal::trailer_at(len).and_then(|at| start.checked_add(at));
        let Some(at) = at else { return Ok(None) };
        let len = seal::extent(self.tail(at))?;
        // `extent` has checked that the trailer lies within the buffer.
        Ok(len.map(|len| at..at.saturating_add(len)))
    }

    /// Takes the run of archives at `start`: up to what is not one, or the end.
    ///
    /// # Errors
    ///
    /// [`Damage::Cpio`].
    fn take_archives(&mut self, mut start: usize) -> Result<Segment, ScanError> {
        let mut kind = Kind::Cpio;
        let extent = cpio::walk(self.tail(start));
        let end = start.saturating_add(extent.len);
        if extent.is_damaged && (extent.len == 0 || !self.starts_segment(end)) {
            return Err(self.give_up(start, Damage::Cpio { at: end }));
        }
        // A plain archive says where it ends; whatever follows it is looked at afresh.
        let end = if extent.len > 0 {
            end
        } else if lz4::has_magic(self.tail(start)) {
            let first_set = start;
            start = self.aligned(start);
            let extent = lz4::walk(self.tail(first_set));
            let end = first_set.saturating_add(extent.len);
            if extent.is_damaged && !self.starts_segment(end) {
                return Err(self.give_up(first_set, Damage::Cpio { at: end }));
            }
            end
        } else if is_compressed(self.tail(start)) {
            start = self.aligned(start);
            find(self.tail(start), self.checksums, self.kinds)
                .map_or(self.buffer.len(), |at| start.saturating_add(at))
        } else {
            kind = Kind::Unknown;
            self.buffer.len()
        };
        self.position = end;
        Ok(Segment {
            kind,
            range: start..end,
            trailer: end..end,
        })
    }

    /// Returns the start of a compressed archive whose magic is at `start`: rounded down to a
    /// multiple of 4, because the unpacker looks for the next plain archive only at multiples of 4
    /// from the start of its input.
    fn aligned(&self, start: usize) -> usize {
        self.position.max(start & !(cpio::ALIGNMENT - 1))
    }

    /// Returns whether padding, an image or an archive starts at `at`.
    fn starts_segment(&self, at: usize) -> bool {
        let tail = self.tail(at);
        cpio::walk(tail).len > 0
            || tail.first() == Some(&0)
            || self.is(Filesystem::Erofs, tail)
            || self.is(Filesystem::Squashfs, tail)
            || is_compressed(tail)
    }

    /// Ends the iteration with an error about the segment at `offset`.
    fn give_up(&mut self, offset: usize, cause: Damage) -> ScanError {
        self.position = self.buffer.len();
        ScanError { offset, cause }
    }
}

/// Returns whether the kernel would take the bytes for compressed data: `decompress_method()` in
/// `lib/decompress.c`.
fn is_compressed(bytes: &[u8]) -> bool {
    const MAGICS: &[[u8; 2]] = &[
        [0x1f, 0x8b], // gzip
        [0x1f, 0x9e], // gzip, old
        [0x42, 0x5a], // bzip2
        [0x5d, 0x00], // lzma
        [0xfd, 0x37], // xz
        [0x89, 0x4c], // lzo
        [0x02, 0x21], // lz4
        [0x28, 0xb5], // zstd
    ];
    bytes
        .first_chunk::<2>()
        .is_some_and(|magic| MAGICS.contains(magic))
}

impl Iterator for Scanner<'_> {
    type Item = Result<Segment, ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        let padding = filesystem::first_set(self.tail(self.position))?;
        let first_set = self.position.checked_add(padding)?;
        if let Some((filesystem, start)) = self.image_start(first_set) {
            return Some(self.take_image(filesystem, start));
        }
        Some(self.take_archives(first_set))
    }
}
