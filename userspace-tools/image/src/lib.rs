// SPDX-License-Identifier: GPL-2.0-only

//! Trees of files: out of initramfs archives and tarballs, into images.
//!
//! Data flows one way: the bytes of an initrd ([`initrd`]) are decompressed ([`compression`]) and
//! read as archives ([`cpio`]) into a [`tree`], as the kernel would unpack them ([`unpack`]). A tree
//! becomes a tarball ([`tarball`]), and that an image ([`mkfs`]). Nothing here needs privileges:
//! owners and devices are only written down.

pub mod bootconfig;
mod btrfs_trees;
pub mod child_processes;
pub mod compression;
pub mod content;
pub mod cpio;
pub mod directory;
pub mod disk_space;
pub mod early;
mod elf;
pub mod erofs;
pub mod handover;
pub mod hints;
pub mod initrd;
pub mod kernel_decompressors;
pub mod labels;
pub mod mkfs;
pub mod other_images;
pub mod other_superblocks;
pub mod output;
mod pax;
mod place;
pub mod profile;
pub mod programs;
mod records;
pub mod seal;
mod seldom_read;
pub mod stack;
pub mod startup;
pub mod tarball;
pub mod temporary;
pub mod tree;
pub mod uki;
pub mod unpack;
pub mod untar;
pub mod whole_stream;
