// SPDX-License-Identifier: GPL-2.0-only

//! A btrfs image gets the types, modes, owners, devices and times of a tree.
//!
//! `mkfs.btrfs` made it of plain files: it has no option for owners, leaves devices without numbers, and
//! keeps no fractions of seconds. Whatever takes no other room than before is changed in place.

use std::collections::HashMap;

use super::btree::{
    items, put, senseless, u16_at, u64_at, Image, DIR_INDEX, DIR_ITEM, INODE_ITEM, ROOT_ITEM,
    XATTR_ITEM,
};
use super::ext4::kind_bits;
use super::MkfsError;
use crate::tree::{join, Inode, Kind, Tree};

/// The tree of files, and the first inode in any of them: its root directory.
const FS_TREE: u64 = 5;
const ROOT_DIRECTORY: u64 = 256;

/// A name in a directory: the key of what it stands for, and what else there is before the name itself.
const NAME_KEY_TYPE: usize = 8;
const NAME_GENERATION: usize = 17;
const NAME_DATA_LEN: usize = 25;
const NAME_LEN: usize = 27;
const NAME_TYPE: usize = 29;
const NAME: usize = 30;

/// Fields of an inode.
const INODE_OWNER: usize = 44;
const INODE_GROUP: usize = 48;
const INODE_MODE: usize = 52;
const INODE_DEVICE: usize = 56;
const INODE_FLAGS: usize = 64;
const INODE_ATIME: usize = 112;
const INODE_CTIME: usize = 124;
const INODE_MTIME: usize = 136;

/// The numbers of a file: that of its tree, and its own.
type Number = (u64, u64);

/// Names in directories, by the number of the directory.
type Names = HashMap<Number, Vec<(Vec<u8>, Number)>>;

/// Sets them all.
pub(super) fn set(image: &Image, tree: &Tree) -> Result<(), MkfsError> {
    let mut names = Names::new();
    let mut trees = vec![FS_TREE];
    let mut done = 0;
    while let Some(id) = trees.get(done).copied() {
        done += 1;
        read_names(image, id, &mut names, &mut trees)?;
    }
    let mut inodes: HashMap<Number, &Inode> = HashMap::new();
    let mut places = vec![((FS_TREE, ROOT_DIRECTORY), Vec::new())];
    while let Some((number, path)) = places.pop() {
        let inode = tree.get(&path);
        let inode = inode.ok_or(senseless("a name that was not there"))?;
        inodes.insert(number, inode);
        for (name, number) in names.remove(&number).unwrap_or_default() {
            places.push((number, join(&path, &name)));
        }
    }
    for id in trees {
        image.each_leaf(image.root_of(id)?, &mut |leaf| {
            Ok(change(leaf, id, &inodes))
        })?;
    }
    Ok(())
}

/// Reads the names in the directories of a tree, and adds the trees that are mounted there.
fn read_names(
    image: &Image,
    id: u64,
    names: &mut Names,
    trees: &mut Vec<u64>,
) -> Result<(), MkfsError> {
    image.each_leaf(image.root_of(id)?, &mut |leaf| {
        for item in items(leaf).filter(|item| item.kind == DIR_INDEX) {
            let data = &leaf[item.data];
            let end = NAME + usize::from(u16_at(data, NAME_LEN));
            let name = data
                .get(NAME..end)
                .ok_or(senseless("a name that breaks off"))?;
            let number = if data[NAME_KEY_TYPE] == ROOT_ITEM {
                trees.push(u64_at(data, 0));
                (u64_at(data, 0), ROOT_DIRECTORY)
            } else {
                (id, u64_at(data, 0))
            };
            names
                .entry((id, item.id))
                .or_default()
                .push((name.to_vec(), number));
        }
        Ok(false)
    })
}

/// Changes what a leaf says of files.
fn change(leaf: &mut [u8], id: u64, inodes: &HashMap<Number, &Inode>) -> bool {
    let found: Vec<_> = items(leaf).collect();
    for item in found {
        match item.kind {
            INODE_ITEM => {
                if let Some(inode) = inodes.get(&(id, item.id)) {
                    set_inode(&mut leaf[item.data], inode);
                }
            }
            DIR_ITEM | DIR_INDEX => set_types(&mut leaf[item.data], id, inodes),
            // mkfs.btrfs leaves there what its memory held.
            XATTR_ITEM => put(&mut leaf[item.data], NAME_GENERATION, &[0; 8]),
            _ => {}
        }
    }
    true
}

fn set_inode(data: &mut [u8], inode: &Inode) {
    put(data, INODE_OWNER, &inode.uid.to_le_bytes());
    put(data, INODE_GROUP, &inode.gid.to_le_bytes());
    let mode = kind_bits(&inode.kind) | inode.mode;
    put(data, INODE_MODE, &mode.to_le_bytes());
    if let Kind::Character(major, minor) | Kind::Block(major, minor) = inode.kind {
        // As the kernel has it in memory.
        let device = u64::from(major) << 20 | u64::from(minor);
        put(data, INODE_DEVICE, &device.to_le_bytes());
    }
    if !matches!(
        inode.kind,
        Kind::Regular(_) | Kind::Directory | Kind::Symlink(_)
    ) {
        put(data, INODE_FLAGS, &[0; 8]);
    }
    for field in [INODE_ATIME, INODE_CTIME, INODE_MTIME] {
        put(data, field, &inode.mtime.seconds.to_le_bytes());
        put(data, field + 8, &inode.mtime.nanoseconds.to_le_bytes());
    }
}

/// Sets the types that stand beside names; several may share a place.
fn set_types(data: &mut [u8], id: u64, inodes: &HashMap<Number, &Inode>) {
    let mut at = 0;
    while at + NAME <= data.len() {
        let entry = &mut data[at..];
        let number = (id, u64_at(entry, 0));
        if let Some(inode) = inodes
            .get(&number)
            .filter(|_| entry[NAME_KEY_TYPE] == INODE_ITEM)
        {
            entry[NAME_TYPE] = type_of(&inode.kind);
        }
        at +=
            NAME + usize::from(u16_at(entry, NAME_DATA_LEN)) + usize::from(u16_at(entry, NAME_LEN));
    }
}

/// `BTRFS_FT_*`.
fn type_of(kind: &Kind) -> u8 {
    match kind {
        Kind::Regular(_) => 1,
        Kind::Directory => 2,
        Kind::Character(..) => 3,
        Kind::Block(..) => 4,
        Kind::Fifo => 5,
        Kind::Socket => 6,
        Kind::Symlink(_) => 7,
    }
}
