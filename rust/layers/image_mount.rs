// SPDX-License-Identifier: GPL-2.0-only

//! Mounting an image: EROFS from a file of the [`initrdfs`], any other filesystem from a block
//! device.
//!
//! [`initrdfs`]: crate::source::initrdfs

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
use initoverlayfs_macros::init;
use kernel::{
    prelude::*,
    str::CString, //
};

use crate::{
    initrd::filesystem::Filesystem,
    layers::stack::Stack,
    memory::segment_file::File, //
};
#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
use crate::{
    memory::segment_file::Segments,
    source::disk::Disk, //
};

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
use crate::sys::vfs::{
    init::{
        make_block_node,
        make_dir, //
    },
    view::View, //
};
use crate::sys::vfs::{
    mount::{
        Access,
        Context,
        Handle,
        Mount, //
    },
    path::Path, //
};

/// Mounts the EROFS image in file `number` of an initrdfs, whose root is `files`.
///
/// # Errors
///
/// Errors of EROFS.
pub(crate) fn erofs(files: &Path, number: usize) -> Result<Mount> {
    let name = CString::try_from_fmt(fmt!("{number}"))?;
    let mut erofs = Context::new(c"erofs", None, Access::ReadOnly)?;
    erofs.set_path(c"source", &files.below(&name)?, Handle::Reader)?;
    erofs.mount()
}

/// An image of a filesystem that wants a block device.
#[cfg_attr(
    not(CONFIG_INITOVERLAYFS_BLOCK),
    expect(dead_code, reason = "there are none")
)]
pub(crate) struct OnDisk<'a> {
    /// The kind.
    pub(crate) filesystem: Filesystem,
    /// The bytes.
    pub(crate) file: File,
    /// The size of its blocks, in bytes.
    pub(crate) block_size: usize,
    /// The subvolume to mount, if it has any.
    pub(crate) subvol: Option<&'a [u8]>,
}

impl OnDisk<'_> {
    /// Has it mounted to be written to.
    ///
    /// # Errors
    ///
    /// `EROFS` unless it is a btrfs, which alone is made to be, and `EIO` if it has to be authentic
    /// and is not.
    pub(crate) fn writable(self) -> Result<Self> {
        if self.filesystem != Filesystem::Btrfs {
            return Err(EROFS);
        }
        Ok(Self {
            file: self.file.into_writable()?,
            ..self
        })
    }
}

#[cfg(CONFIG_INITOVERLAYFS_BLOCK)]
impl OnDisk<'_> {
    /// Mounts it from a block device. `stack` withdraws its memory if that comes to nothing.
    ///
    /// # Errors
    ///
    /// Errors of making the device, and of the filesystem.
    #[init]
    pub(crate) fn mount(self, stack: &mut Stack) -> Result<Mount> {
        let access = if self.file.is_writable() {
            Access::ReadWrite
        } else {
            Access::ReadOnly
        };
        let mut files = KVec::with_capacity(1, GFP_KERNEL)?;
        files.push(self.file, GFP_KERNEL)?;
        let segments = Segments::new(files)?;
        let disk = Disk::new(&segments, self.block_size);
        stack.keep(segments)?;
        let disk = disk?;
        let source = CString::try_from_fmt(fmt!("/dev/initoverlayfs{}", disk.number()))?;

        // Filesystems find a block device by its name only, and nothing has one yet: neither is
        // devtmpfs mounted, nor may the built-in initramfs be changed.
        let mut nodes = Context::new(c"tmpfs", None, Access::ReadWrite)?;
        nodes.set(c"size", Some(c"64k"))?;
        let nodes = nodes.mount()?;
        let view = View::of(&nodes.root())?;
        make_dir(c"/dev")?;
        make_block_node(&source, disk.dev())?;

        let kind = CString::try_from_fmt(fmt!("{}", self.filesystem.name()))?;
        let mut context = Context::new(&kind, Some(&source), access)?;
        match (self.filesystem, self.subvol) {
            // An image could say "panic" otherwise. Nobody can write to it anyway.
            (Filesystem::Ext4, _) => context.set(c"errors", Some(c"remount-ro"))?,
            (Filesystem::Btrfs, Some(subvol)) => {
                let subvol = core::str::from_utf8(subvol).map_err(|_| EINVAL)?;
                let subvol = CString::try_from_fmt(fmt!("{subvol}"))?;
                context.set(c"subvol", Some(&subvol))?;
            }
            _ => {}
        }
        let mount = context.mount()?;
        drop(view);
        // From here on, the device is there as long as the filesystem has it open.
        drop(disk);
        Ok(mount)
    }
}

/// Never called: without its option, no such image is looked for.
#[cfg(not(CONFIG_INITOVERLAYFS_BLOCK))]
impl OnDisk<'_> {
    /// Mounts nothing.
    ///
    /// # Errors
    ///
    /// `ENODEV`, always.
    pub(crate) fn mount(self, _stack: &mut Stack) -> Result<Mount> {
        Err(ENODEV)
    }
}
