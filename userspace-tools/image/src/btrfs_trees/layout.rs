// SPDX-License-Identifier: GPL-2.0-only

//! Numbers and offsets of `include/uapi/linux/btrfs_tree.h` of Linux 7.3 that concern files and names.

/// Types of keys.
pub(crate) const INODE_ITEM: u8 = 1;
pub(crate) const XATTR_ITEM: u8 = 24;
pub(crate) const DIR_ITEM: u8 = 84;
pub(crate) const EXTENT_DATA: u8 = 108;
pub(crate) const DIR_INDEX: u8 = 96;
pub(crate) const ROOT_ITEM: u8 = 132;

/// The tree of files, and the first inode in any of them: its root directory.
pub(crate) const FS_TREE: u64 = 5;
pub(crate) const ROOT_DIRECTORY: u64 = 256;

/// Offsets of a name in a directory: the key of its file, then the other fields, then the name itself.
pub(crate) const NAME_KEY_TYPE: usize = 8;
pub(crate) const NAME_GENERATION: usize = 17;
pub(crate) const NAME_DATA_LEN: usize = 25;
pub(crate) const NAME_LEN: usize = 27;
pub(crate) const NAME_TYPE: usize = 29;
pub(crate) const NAME: usize = 30;

/// Offsets of an inode's fields.
pub(crate) mod inode_field {
    pub(crate) const SIZE: usize = 16;
    pub(crate) const OWNER: usize = 44;
    pub(crate) const GROUP: usize = 48;
    pub(crate) const MODE: usize = 52;
    pub(crate) const DEVICE: usize = 56;
    pub(crate) const FLAGS: usize = 64;
    pub(crate) const ATIME: usize = 112;
    pub(crate) const CTIME: usize = 124;
    pub(crate) const MTIME: usize = 136;
}
