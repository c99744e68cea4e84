// SPDX-License-Identifier: GPL-2.0-only

//! A btrfs image gets the types, modes, owners, devices and times of a tree.
//!
//! `mkfs.btrfs` made it of plain files: it has no option for owners, leaves devices without numbers, and
//! keeps no fractions of seconds. Whatever takes no other room than before is changed in place.

use std::collections::HashMap;

use super::ext4::kind_bits;
use crate::btrfs_trees::{
    inode_field, items, put, read_names, senseless, u16_at, u64_at, Image, Names, Number,
    TreeError, DIR_INDEX, DIR_ITEM, FS_TREE, INODE_ITEM, NAME, NAME_DATA_LEN, NAME_GENERATION,
    NAME_KEY_TYPE, NAME_LEN, NAME_TYPE, ROOT_DIRECTORY, XATTR_ITEM,
};
use crate::tree::{join, Inode, Kind, Tree};

/// Sets them all.
pub(super) fn set(image: &Image, tree: &Tree) -> Result<(), TreeError> {
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
    put(data, inode_field::OWNER, &inode.uid.to_le_bytes());
    put(data, inode_field::GROUP, &inode.gid.to_le_bytes());
    let mode = kind_bits(&inode.kind) | inode.mode;
    put(data, inode_field::MODE, &mode.to_le_bytes());
    if let Kind::Character(major, minor) | Kind::Block(major, minor) = inode.kind {
        // As the kernel has it in memory.
        let device = u64::from(major) << 20 | u64::from(minor);
        put(data, inode_field::DEVICE, &device.to_le_bytes());
    }
    if !matches!(
        inode.kind,
        Kind::Regular(_) | Kind::Directory | Kind::Symlink(_)
    ) {
        put(data, inode_field::FLAGS, &[0; 8]);
    }
    for field in [inode_field::ATIME, inode_field::CTIME, inode_field::MTIME] {
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
