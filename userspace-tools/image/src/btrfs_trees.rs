// SPDX-License-Identifier: GPL-2.0-only

//! The trees of a btrfs image: read, and changed in one that `mkfs.btrfs` has just made.
//!
//! Layouts are those of `include/uapi/linux/btrfs_tree.h` of Linux 7.3.

mod layout;
mod names;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use initoverlayfs_core::crc32c;
use thiserror::Error;

pub(crate) use layout::*;
pub(crate) use names::{read_names, Names, Number};

/// The offsets of the superblock and of its copies, if the image reaches that far, in bytes.
const SUPERBLOCKS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
const SUPERBLOCK_LEN: usize = 4096;

/// Fields of the superblock.
const BYTENR: usize = 0x30;
const MAGIC: usize = 0x40;
const ROOT: usize = 0x50;
const CHUNK_ROOT: usize = 0x58;
const TOTAL_BYTES: usize = 0x70;
const SECTOR_SIZE: usize = 0x90;
const NODE_SIZE: usize = 0x94;
const CHUNKS_LEN: usize = 0xa0;
const CHECKSUM_TYPE: usize = 0xc4;
const DEVICE_TOTAL_BYTES: usize = 0xd1;
const CHUNKS: usize = 0x32b;

/// A key, and in a chunk of one stripe, where it lies on the device. Another stripe of the only device is a copy.
const KEY_LEN: usize = 17;
const CHUNK_LEN: usize = 80;
const STRIPE_OFFSET: usize = 56;
const STRIPE_COUNT: usize = 44;
const STRIPE_LEN: usize = 32;
const CHUNK_TYPE: usize = 24;

/// `BTRFS_BLOCK_GROUP_RAID0`, `RAID10`, `RAID5` and `RAID6`.
const SPREAD: u64 = 1 << 3 | 1 << 6 | 1 << 7 | 1 << 8;

/// A node of a tree: its header, then its items, whose data lies where they say behind the header. Those
/// of an inner node have no data, but the address of a node.
const HEADER_LEN: usize = 101;
const ITEM_COUNT: usize = 96;
const LEVEL: usize = 100;
const ITEM_LEN: usize = 25;
const POINTER_LEN: usize = 33;

/// All checksums are of what is behind them, and have this much room.
const CHECKSUM_LEN: usize = 32;

/// The largest height that trees can have.
const HIGHEST: usize = 8;

/// Types of keys that only matter here.
const DEVICE_ITEM: u8 = 216;
const CHUNK_ITEM: u8 = 228;

/// The offset of the root's address in a tree's item in the tree of roots.
const ROOT_ITEM_BYTENR: usize = 176;

/// An item of a leaf.
pub(crate) struct Item {
    /// The inode or the tree that it is about.
    pub id: u64,
    /// The type.
    pub kind: u8,
    /// The data in the leaf.
    pub data: Range<usize>,
}

/// An image.
pub(crate) struct Image {
    file: File,
    superblock: Vec<u8>,
    node_size: usize,
    /// Addresses, and where on the device the bytes are.
    chunks: Vec<(Range<u64>, u64)>,
}

/// Why trees cannot be read or changed.
#[derive(Debug, Error)]
pub(crate) enum TreeError {
    /// The image's file.
    #[error(transparent)]
    File(io::Error),
    /// A structure that makes no sense.
    #[error("{0}")]
    Senseless(&'static str),
}

/// Returns the error for what cannot be made sense of.
pub(crate) fn senseless(what: &'static str) -> TreeError {
    TreeError::Senseless(what)
}

impl Image {
    /// Opens one.
    pub fn open(path: &Path) -> Result<Self, TreeError> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(TreeError::File)?;
        let superblock = read(&file, SUPERBLOCKS[0], SUPERBLOCK_LEN)?;
        if superblock[MAGIC..MAGIC + 8] != *b"_BHRfS_M" {
            return Err(senseless("no superblock"));
        }
        let size = |offset| usize::try_from(u32_at(&superblock, offset)).ok();
        let node_size = size(NODE_SIZE).filter(|size| (4096..=65536).contains(size));
        let node_size = node_size.ok_or(senseless("the size of its nodes"))?;
        // Those with the chunk tree are in the superblock.
        let len = size(CHUNKS_LEN).and_then(|len| superblock.get(CHUNKS..CHUNKS.checked_add(len)?));
        let entries = len.ok_or(senseless("its system chunks"))?;
        let (mut rest, mut chunks) = (entries, Vec::new());
        while rest.len() >= KEY_LEN + CHUNK_LEN {
            chunks.push(chunk(u64_at(rest, 9), &rest[KEY_LEN..]));
            let copies = usize::from(u16_at(rest, KEY_LEN + STRIPE_COUNT)).saturating_sub(1);
            rest = rest
                .get(KEY_LEN + CHUNK_LEN + copies * STRIPE_LEN..)
                .unwrap_or_default();
        }
        let mut image = Self {
            file,
            node_size,
            chunks,
            superblock,
        };
        image.chunks = image.chunk_map()?;
        Ok(image)
    }

    /// Reads all chunks.
    fn chunk_map(&self) -> Result<Vec<(Range<u64>, u64)>, TreeError> {
        let mut chunks = Vec::new();
        self.each_leaf(u64_at(&self.superblock, CHUNK_ROOT), &mut |leaf| {
            for item in raw_items(leaf) {
                if item[8] == CHUNK_ITEM {
                    let data = data_of(item);
                    let data = leaf.get(data).filter(|data| data.len() >= CHUNK_LEN);
                    let data = data.ok_or(senseless("a chunk that breaks off"))?;
                    if u64_at(data, CHUNK_TYPE) & SPREAD != 0 {
                        return Err(senseless("a chunk that is spread over devices"));
                    }
                    chunks.push(chunk(u64_at(item, 9), data));
                }
            }
            Ok(false)
        })?;
        Ok(chunks)
    }

    /// Returns where the node at an address lies on the device.
    fn place(&self, address: u64) -> Result<u64, TreeError> {
        let chunk = self
            .chunks
            .iter()
            .find(|(addresses, _)| addresses.contains(&address));
        let (addresses, place) = chunk.ok_or(senseless("a node outside of its chunks"))?;
        let place = place.checked_add(address - addresses.start);
        place.ok_or(senseless("a node outside of its chunks"))
    }

    /// Shows each leaf of a tree, from the left; it is written back if `change` says so.
    pub fn each_leaf(
        &self,
        root: u64,
        change: &mut dyn FnMut(&mut [u8]) -> Result<bool, TreeError>,
    ) -> Result<(), TreeError> {
        // A tree has a node once: one that leads to itself ends here.
        let len = self.file.metadata().map_err(TreeError::File)?.len();
        let mut nodes = usize::try_from(len).unwrap_or(usize::MAX) / self.node_size;
        self.visit(root, HIGHEST, &mut nodes, change)
    }

    fn visit(
        &self,
        address: u64,
        height: usize,
        nodes: &mut usize,
        change: &mut dyn FnMut(&mut [u8]) -> Result<bool, TreeError>,
    ) -> Result<(), TreeError> {
        *nodes = nodes
            .checked_sub(1)
            .ok_or(senseless("a tree without end"))?;
        let place = self.place(address)?;
        let mut node = read(&self.file, place, self.node_size)?;
        if node[LEVEL] == 0 {
            if change(&mut node)? {
                if u16_at(&self.superblock, CHECKSUM_TYPE) != 0 {
                    return Err(senseless("another checksum than CRC-32C"));
                }
                sign(&mut node);
                self.write(&node, place)?;
            }
            return Ok(());
        }
        let height = height
            .checked_sub(1)
            .ok_or(senseless("a tree without end"))?;
        for pointer in node[HEADER_LEN..]
            .chunks_exact(POINTER_LEN)
            .take(count(&node))
        {
            self.visit(u64_at(pointer, KEY_LEN), height, nodes, change)?;
        }
        Ok(())
    }

    /// Returns the address of the root of a tree.
    pub fn root_of(&self, tree: u64) -> Result<u64, TreeError> {
        let mut found = None;
        self.each_leaf(u64_at(&self.superblock, ROOT), &mut |leaf| {
            let item = items(leaf).find(|item| item.id == tree && item.kind == ROOT_ITEM);
            if let Some(item) = item {
                found = Some(u64_at(&leaf[item.data], ROOT_ITEM_BYTENR));
            }
            Ok(false)
        })?;
        found.ok_or(senseless("a tree without a root"))
    }

    /// Returns the tree that is mounted unless another one is asked for: what the name `default` leads to in the tree
    /// of roots.
    pub fn default_tree(&self) -> Result<u64, TreeError> {
        /// The directory of that name: `BTRFS_ROOT_TREE_DIR_OBJECTID`.
        const DIRECTORY: u64 = 6;
        let mut found = FS_TREE;
        self.each_leaf(u64_at(&self.superblock, ROOT), &mut |leaf| {
            for item in items(leaf).filter(|item| item.id == DIRECTORY && item.kind == DIR_ITEM) {
                let data = &leaf[item.data];
                if data.get(NAME..) == Some(b"default") {
                    found = u64_at(data, 0);
                }
            }
            Ok(false)
        })?;
        Ok(found)
    }

    /// Adds at least `more` bytes, up to a multiple of its blocks, as `fs/btrfs/volumes.c:
    /// btrfs_grow_device()` does while it is mounted: nothing is allocated.
    pub fn grow(&self, more: u64) -> Result<(), TreeError> {
        let total = u64_at(&self.superblock, TOTAL_BYTES);
        let block = u64::from(u32_at(&self.superblock, SECTOR_SIZE).max(1));
        let grown = total
            .checked_add(more)
            .and_then(|size| size.checked_next_multiple_of(block))
            .filter(|size| i64::try_from(*size).is_ok())
            .ok_or(senseless("more bytes than a file can have"))?;
        self.file.set_len(grown).map_err(TreeError::File)?;
        self.each_leaf(u64_at(&self.superblock, CHUNK_ROOT), &mut |leaf| {
            let device = items(leaf).find(|item| item.kind == DEVICE_ITEM);
            // Behind the number of the device.
            let Some(at) = device.map(|item| item.data.start + 8) else {
                return Ok(false);
            };
            if leaf.get(at..at + 8).is_none() || u64_at(leaf, at) != total {
                return Err(senseless("a device of another size"));
            }
            put(leaf, at, &grown.to_le_bytes());
            Ok(true)
        })?;
        for place in SUPERBLOCKS {
            if place + 4096 > total {
                break;
            }
            let mut copy = read(&self.file, place, SUPERBLOCK_LEN)?;
            if u64_at(&copy, BYTENR) == place && u64_at(&copy, TOTAL_BYTES) == total {
                put(&mut copy, DEVICE_TOTAL_BYTES, &grown.to_le_bytes());
                put(&mut copy, TOTAL_BYTES, &grown.to_le_bytes());
                sign(&mut copy);
                self.write(&copy, place)?;
            }
        }
        Ok(())
    }

    fn write(&self, bytes: &[u8], place: u64) -> Result<(), TreeError> {
        let written = self.file.write_all_at(bytes, place);
        written.map_err(TreeError::File)
    }
}

/// Returns the addresses of a chunk, and where it lies on the device.
fn chunk(address: u64, data: &[u8]) -> (Range<u64>, u64) {
    let end = address.saturating_add(u64_at(data, 0));
    (address..end, u64_at(data, STRIPE_OFFSET))
}

/// Returns how many items a node has.
fn count(node: &[u8]) -> usize {
    usize::try_from(u32_at(node, ITEM_COUNT)).unwrap_or(usize::MAX)
}

fn raw_items(leaf: &[u8]) -> impl Iterator<Item = &[u8]> {
    let items = leaf.get(HEADER_LEN..).unwrap_or_default();
    items.chunks_exact(ITEM_LEN).take(count(leaf))
}

/// Returns where an item's data is in its leaf, if it is there.
fn data_of(item: &[u8]) -> Range<usize> {
    let number = |offset| usize::try_from(u32_at(item, offset)).unwrap_or(usize::MAX);
    let start = number(KEY_LEN).saturating_add(HEADER_LEN);
    start..start.saturating_add(number(KEY_LEN + 4))
}

/// Returns the items of a leaf whose data lies in it.
pub(crate) fn items(leaf: &[u8]) -> impl Iterator<Item = Item> + '_ {
    let items = raw_items(leaf).map(|item| Item {
        id: u64_at(item, 0),
        kind: item[8],
        data: data_of(item),
    });
    items.filter(|item| leaf.get(item.data.clone()).is_some())
}

/// Puts bytes at an offset, where there is room for them.
pub(crate) fn put(bytes: &mut [u8], offset: usize, new: &[u8]) {
    if let Some(place) = bytes
        .get_mut(offset..)
        .and_then(|rest| rest.get_mut(..new.len()))
    {
        place.copy_from_slice(new);
    }
}

/// Puts the checksum of a node or a superblock at its start.
fn sign(bytes: &mut [u8]) {
    let checksum = !crc32c(u32::MAX, &bytes[CHECKSUM_LEN..]);
    put(bytes, 0, &checksum.to_le_bytes());
}

fn read(file: &File, offset: u64, len: usize) -> Result<Vec<u8>, TreeError> {
    let mut bytes = vec![0; len];
    let read = file.read_exact_at(&mut bytes, offset);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => senseless("it breaks off"),
        _ => TreeError::File(error),
    })?;
    Ok(bytes)
}

/// Returns a number at an offset; 0 where there is none.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    u64::from_le_bytes(bytes.copied().unwrap_or_default())
}

pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    u32::from_le_bytes(bytes.copied().unwrap_or_default())
}

pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    u16::from_le_bytes(bytes.copied().unwrap_or_default())
}
