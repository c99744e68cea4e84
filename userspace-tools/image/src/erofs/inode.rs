// SPDX-License-Identifier: GPL-2.0-only

//! Inodes, and the directories and links that they hold.

use std::ops::Range;

use super::{array, bytes_at, u16_at, u32_at, u64_at, ErofsError, Superblock};
use crate::cpio::{
    BLOCK,
    CHARACTER,
    DIRECTORY,
    FIFO,
    REGULAR,
    SOCKET,
    SYMLINK,
    TYPE_MASK, //
};
use crate::tree::Time;

/// The kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Details {
    Directory,
    Regular,
    Symlink,
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
    Socket,
}

/// The way in which its data is stored, by the names of `erofs_fs.h` (`EROFS_INODE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    FlatPlain,
    FlatInline,
    CompressedFull,
    CompressedCompact,
    ChunkBased,
    /// Flat and plain, at an address of ones alone: the file is one hole.
    Hole,
}

/// An inode as it stands in the image.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) details: Details,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Time,
    /// The start of its attributes, and their size, in bytes.
    pub(super) xattrs: (u64, u64),
    /// Bytes of data.
    pub(super) size: u64,
    /// The place where it starts, in bytes from the start of the image.
    pub(super) offset: u64,
    pub(super) layout: Layout,
    start_block: u64,
    omits_dot: bool,
}

impl Raw {
    /// Reads the inode with this number.
    pub(super) fn read(image: &[u8], sb: &Superblock, nid: u64) -> Result<Self, ErofsError> {
        let offset = sb.inode_offset(nid).ok_or(ErofsError::Beyond(u64::MAX))?;
        let format = u16_at(image, offset)?;
        let is_extended = format & 1 != 0;
        let layout = match format >> 1 & 7 {
            0 => Layout::FlatPlain,
            1 => Layout::CompressedFull,
            2 => Layout::FlatInline,
            3 => Layout::CompressedCompact,
            4 => Layout::ChunkBased,
            _ => return Err(ErofsError::Unsupported("the layout of the inode", offset)),
        };
        let mode = u32::from(u16_at(image, offset + 4)?);
        let word = u32_at(image, offset + 16)?;
        let details = match mode & TYPE_MASK {
            DIRECTORY => Details::Directory,
            REGULAR => Details::Regular,
            SYMLINK => Details::Symlink,
            CHARACTER => Details::Character(device(word).0, device(word).1),
            BLOCK => Details::Block(device(word).0, device(word).1),
            FIFO => Details::Fifo,
            SOCKET => Details::Socket,
            _ => return Err(ErofsError::Damaged("the type of the inode", offset)),
        };
        let bit_4 = format >> 4 & 1 != 0;
        let is_directory = details == Details::Directory;
        // The upper bits of the block share their place with the number of links.
        let has_upper = is_extended || (bit_4 && !is_directory);
        let (upper, all_ones) = if has_upper {
            (u64::from(u16_at(image, offset + 6)?), (1 << 48) - 1)
        } else {
            (0, u64::from(u32::MAX))
        };
        let start_block = upper << 32 | u64::from(word);
        let layout = match layout {
            Layout::FlatPlain if start_block == all_ones => Layout::Hole,
            layout => layout,
        };
        let (epoch, nanoseconds) = sb.epoch();
        let (size, uid, gid, mtime, len) = if is_extended {
            let seconds = i64::from_le_bytes(array(image, offset + 32)?);
            let mtime = Time {
                seconds,
                nanoseconds: u32_at(image, offset + 40)?,
            };
            let owner = (u32_at(image, offset + 24)?, u32_at(image, offset + 28)?);
            (u64_at(image, offset + 8)?, owner.0, owner.1, mtime, 64)
        } else {
            let delta = i64::from(u32_at(image, offset + 12)?);
            let mtime = Time {
                seconds: epoch.saturating_add(delta),
                nanoseconds,
            };
            let owner = (u16_at(image, offset + 24)?, u16_at(image, offset + 26)?);
            (
                u32_at(image, offset + 8)?.into(),
                owner.0.into(),
                owner.1.into(),
                mtime,
                32,
            )
        };
        let xattr_len = match u64::from(u16_at(image, offset + 2)?) {
            0 => 0,
            count => 12 + (count - 1) * 4,
        };
        Ok(Self {
            details,
            mode: mode & 0o7777,
            uid,
            gid,
            mtime,
            xattrs: (offset + len, xattr_len),
            size,
            offset,
            layout,
            start_block,
            omits_dot: is_directory && bit_4,
        })
    }

    /// Returns where its attributes end, in bytes from the start of the image. Behind them stands what its layout has
    /// there: the end of the data, or where the data lies.
    pub(super) fn end(&self) -> u64 {
        self.xattrs.0 + self.xattrs.1
    }

    /// Returns the format of the chunks of a chunk-based inode: the lower half of `i_u`.
    pub(super) fn chunk_format(&self) -> u64 {
        self.start_block & 0xffff
    }

    /// Returns where its data lies if it is stored as it is: in blocks, and the rest behind the inode and its
    /// attributes. In bytes from the start of the image; either may be empty.
    pub(super) fn places(&self, sb: &Superblock) -> Result<Option<[Range<u64>; 2]>, ErofsError> {
        let block_size = sb.block_size();
        let in_blocks = match self.layout {
            Layout::FlatPlain => self.size,
            Layout::FlatInline => self.size / block_size * block_size,
            _ => return Ok(None),
        };
        let tail = self.end();
        let places = || {
            // Without blocks, where they start means nothing.
            let start = match in_blocks {
                0 => 0,
                _ => self.start_block.checked_mul(block_size)?,
            };
            let tail_end = tail.checked_add(self.size - in_blocks)?;
            Some([start..start.checked_add(in_blocks)?, tail..tail_end])
        };
        let damaged = ErofsError::Damaged("the place of the data", self.offset);
        places().map(Some).ok_or(damaged)
    }

    /// Returns its data, which for directories and symbolic links is never compressed.
    pub(super) fn data(&self, image: &[u8], sb: &Superblock) -> Result<Vec<u8>, ErofsError> {
        let places = self.places(sb)?;
        let places = places.ok_or(ErofsError::Unsupported("compressed metadata", self.offset))?;
        let mut data = Vec::new();
        for place in places.iter().filter(|place| !place.is_empty()) {
            data.extend_from_slice(bytes_at(image, place.start, place.end - place.start)?);
        }
        Ok(data)
    }

    /// Names and numbers of what is in a directory, without `.` and `..`.
    pub(super) fn entries(
        &self,
        image: &[u8],
        sb: &Superblock,
    ) -> Result<Vec<(Vec<u8>, u64)>, ErofsError> {
        let data = self.data(image, sb)?;
        let damaged = || ErofsError::Damaged("the directory whose inode is", self.offset);
        let block_size = usize::try_from(sb.block_size()).map_err(|_| damaged())?;
        let mut entries = Vec::new();
        for block in data.chunks(block_size) {
            append_entries(block, &mut entries).ok_or_else(damaged)?;
        }
        let has_dot = entries.iter().any(|(name, _)| name == b".");
        if !has_dot && !self.omits_dot && !data.is_empty() {
            return Err(damaged());
        }
        entries.retain(|(name, _)| name != b"." && name != b"..");
        Ok(entries)
    }
}

/// Reads a block of a directory: entries of 12 bytes, then the names.
fn append_entries(block: &[u8], entries: &mut Vec<(Vec<u8>, u64)>) -> Option<()> {
    const ENTRY: usize = 12;
    let name_at = |index: usize| -> Option<usize> {
        let field = block.get(index * ENTRY + 8..)?.first_chunk()?;
        Some(usize::from(u16::from_le_bytes(*field)))
    };
    let first = name_at(0)?;
    if first == 0 || first % ENTRY != 0 || first > block.len() {
        return None;
    }
    let count = first / ENTRY;
    for index in 0..count {
        let nid = u64::from_le_bytes(*block.get(index * ENTRY..)?.first_chunk()?);
        let start = name_at(index)?;
        let is_last = index + 1 == count;
        let end = if is_last {
            block.len()
        } else {
            name_at(index + 1)?
        };
        let name = block.get(start..end)?;
        let name = name.split(|byte| *byte == 0).next()?;
        if name.is_empty() || name.contains(&b'/') {
            return None;
        }
        entries.push((name.to_vec(), nid));
    }
    Some(())
}

/// Major and minor of a device number as `new_encode_dev()` writes it.
fn device(number: u32) -> (u32, u32) {
    (
        (number >> 8) & 0xfff,
        (number & 0xff) | ((number >> 12) & 0xfff00),
    )
}
