// SPDX-License-Identifier: GPL-2.0-only

//! From segments to one tree: a stack of layers, later segments over earlier ones.
//!
//! ```text
//! rootfs            the built-in initramfs, the lowest layer
//!  `- tmpfs         mounted over it, never part of the final root
//!      |- segments  initrdfs: 0, 1, ... the EROFS images in the initrd
//!      |- layer0    what is in the first segment: an EROFS mount, or unpacked archives
//!      |- layer1    ...
//!      |- upper     what is written
//!      |- work      overlayfs's scratch
//!      `- root      the overlay
//! ```
//!
//! Nothing of this is left in the root or in the namespace afterwards: overlayfs keeps private
//! clones of its layers, and the hand-off detaches the rest with the old root.

use initoverlayfs_macros::init;
use kernel::{
    prelude::*,
    str::CString, //
};

use crate::{
    initrd::{
        Kind,
        Segment, //
    },
    initrdfs,
    options::{
        Mode,
        Options, //
    },
    region::{
        Memory,
        Region, //
    },
    vfs::{
        self,
        Access,
        Mount,
        Path, //
    },
    Failure,
    Step, //
};

/// A segment with its memory.
pub(crate) struct Layer {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where its bytes are.
    pub(crate) memory: Memory,
}

/// Gives each segment its memory.
///
/// # Errors
///
/// `ENOMEM`; the memory of all of them is freed then.
pub(crate) fn divide(region: Region, segments: KVec<Segment>) -> Result<KVec<Layer>> {
    let mut layers = KVec::with_capacity(segments.len(), GFP_KERNEL)?;
    let memory = region.divide(segments.iter().map(|segment| segment.range.clone()))?;
    for (segment, memory) in segments.into_iter().zip(memory) {
        let kind = segment.kind;
        layers.push(Layer { kind, memory }, GFP_KERNEL)?;
    }
    Ok(layers)
}

/// The mounts that lead to the new root. PID 1's working directory is the new root's.
///
/// Dropping it undoes them, and the working directory is the old root again.
pub(crate) struct Stack {
    /// The root that was there before: the built-in initramfs.
    old_root: Option<Path>,
    /// The first of our mounts, with all the others below it.
    base: Option<Path>,
}

impl Stack {
    /// Nothing mounted yet.
    fn on_root() -> Result<Self> {
        Ok(Self {
            old_root: Some(Path::of(c"/")?),
            base: None,
        })
    }

    /// Mounts `mount` on the root of the last one and enters it. The first goes on the old root.
    fn attach(&mut self, mount: Mount) -> Result {
        let root = mount.root();
        match &self.old_root {
            Some(old_root) if self.base.is_none() => mount.attach(old_root)?,
            _ => mount.attach(&Path::of(c".")?)?,
        }
        root.enter();
        self.base.get_or_insert(root);
        Ok(())
    }

    /// Keeps the mounts; returns the old root, with which they can be detached.
    pub(crate) fn into_old_root(mut self) -> Option<Path> {
        self.base = None;
        self.old_root.take()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if let Some(old_root) = &self.old_root {
            old_root.enter();
        }
        if let Some(Err(error)) = self.base.take().map(Path::detach) {
            pr_err!("unmounting the layers failed: error {}\n", error.to_errno());
        }
    }
}

/// Mounts the layers and what makes one tree of them, and enters it.
#[init]
pub(crate) fn mount(layers: KVec<Layer>, options: &Options<'_>) -> Result<Stack, Failure> {
    if options.read_only {
        mount_read_only(layers)
    } else {
        mount_overlay(layers, options)
    }
}

/// The image itself as the root.
#[init]
fn mount_read_only(mut layers: KVec<Layer>) -> Result<Stack, Failure> {
    let mut images = KVec::with_capacity(1, GFP_KERNEL).map_err(|e| Step::Segments.failed(e))?;
    while let Some(layer) = layers.pop() {
        if matches!(layer.kind, Kind::Erofs(_)) {
            images
                .push(layer.memory, GFP_KERNEL)
                .map_err(|e| Step::Segments.failed(e))?;
        } else {
            pr_warn!("ro: a cpio archive in the initrd is left out\n");
        }
    }
    if images.len() != 1 {
        pr_err!("ro: needs one EROFS image, found {}\n", images.len());
        return Err(Step::Segments.failed(EINVAL));
    }

    let mut stack = Stack::on_root().map_err(|e| Step::Segments.failed(e))?;
    initrdfs::mount(images)
        .and_then(|segments| stack.attach(segments))
        .map_err(|e| Step::Segments.failed(e))?;
    Mount::new(c"erofs", c"0", Access::ReadOnly, c"")
        .and_then(|image| stack.attach(image))
        .map_err(|e| Step::Erofs.failed_at(0, e))?;
    Ok(stack)
}

/// All layers below a writable tmpfs.
#[init]
fn mount_overlay(layers: KVec<Layer>, options: &Options<'_>) -> Result<Stack, Failure> {
    let mut stack = Stack::on_root().map_err(|e| Step::Tmpfs.failed(e))?;
    tmpfs(options)
        .and_then(|tmpfs| stack.attach(tmpfs))
        .map_err(|e| Step::Tmpfs.failed(e))?;

    let count = layers.len();
    let mut images =
        KVec::with_capacity(count, GFP_KERNEL).map_err(|e| Step::Segments.failed(e))?;
    let mut kinds = KVec::with_capacity(count, GFP_KERNEL).map_err(|e| Step::Segments.failed(e))?;
    for (index, layer) in layers.into_iter().enumerate() {
        let is_image = matches!(layer.kind, Kind::Erofs(_));
        make_layer_dir(index).map_err(|e| Step::Tmpfs.failed_at(index, e))?;
        if is_image {
            images
                .push(layer.memory, GFP_KERNEL)
                .map_err(|e| Step::Segments.failed(e))?;
        } else {
            match unpack(index, &layer.memory) {
                Err(failure) if options.mode == Mode::Require => return Err(failure),
                // As the stock unpacker does: what came before the fault is there.
                Err(failure) => pr_err!("{failure}, going on with what is unpacked\n"),
                Ok(()) => (),
            }
        }
        kinds
            .push(is_image, GFP_KERNEL)
            .map_err(|e| Step::Segments.failed(e))?;
    }

    vfs::make_dir(c"segments").map_err(|e| Step::Segments.failed(e))?;
    attach_segments(images, c"segments").map_err(|e| Step::Segments.failed(e))?;
    let mut file = 0usize;
    for (index, is_image) in kinds.iter().enumerate() {
        if *is_image {
            mount_image(file, index).map_err(|e| Step::Erofs.failed_at(index, e))?;
            file = file.saturating_add(1);
        }
    }

    stack_layers(count).map_err(|e| Step::Overlay.failed(e))?;
    Ok(stack)
}

/// Shows the images as files of an initrdfs on `place`.
fn attach_segments(images: KVec<Memory>, place: &CStr) -> Result {
    let place = Path::of(place)?;
    initrdfs::mount(images)?.attach(&place)
}

/// The tmpfs that everything is built in.
fn tmpfs(options: &Options<'_>) -> Result<Mount> {
    let size = options.size.unwrap_or("50%");
    let data = CString::try_from_fmt(fmt!("mode=0755,size={size}"))?;
    Mount::new(c"tmpfs", c"initoverlayfs", Access::ReadWrite, &data)
}

/// The directory of layer `index`, from the tmpfs's root.
fn layer_dir(index: usize) -> Result<CString> {
    CString::try_from_fmt(fmt!("layer{index}"))
}

#[init]
fn make_layer_dir(index: usize) -> Result {
    vfs::make_dir(&layer_dir(index)?)
}

/// Mounts initrdfs file `file` as layer `index`.
#[init]
fn mount_image(file: usize, index: usize) -> Result {
    let source = CString::try_from_fmt(fmt!("segments/{file}"))?;
    vfs::mount(&source, &layer_dir(index)?, c"erofs", Access::ReadOnly, b"")
}

/// Unpacks the archives of segment `index` into its directory, as if it were the root, so that
/// neither an absolute symlink nor `..` leads out of it.
#[init]
fn unpack(index: usize, archives: &Memory) -> Result<(), Failure> {
    let outside = Path::of(c"/").map_err(|e| Step::Unpack.failed_at(index, e))?;
    let tmpfs = Path::of(c".").map_err(|e| Step::Unpack.failed_at(index, e))?;
    let inside = layer_dir(index)
        .and_then(|name| Path::of(&name))
        .map_err(|e| Step::Unpack.failed_at(index, e))?;

    inside.enter_as_root();
    inside.enter();
    let unpacked = vfs::unpack(archives.bytes());
    outside.enter_as_root();
    tmpfs.enter();

    unpacked.map_err(|message| {
        pr_err!("unpacking segment {index}: {message}\n");
        Step::Unpack.failed_at(index, EINVAL)
    })
}

/// Stacks `count` layers over the built-in initramfs, and enters the result.
#[init]
fn stack_layers(count: usize) -> Result {
    let mut options = KVec::new();
    options.extend_from_slice(
        b"volatile,upperdir=upper,workdir=work,lowerdir=",
        GFP_KERNEL,
    )?;
    // Overlayfs wants the uppermost first.
    for index in (0..count).rev() {
        options.extend_from_slice(layer_dir(index)?.to_bytes(), GFP_KERNEL)?;
        options.push(b':', GFP_KERNEL)?;
    }
    options.push(b'/', GFP_KERNEL)?;

    vfs::make_dir(c"upper")?;
    vfs::make_dir(c"work")?;
    vfs::make_dir(c"root")?;
    vfs::mount(
        c"initoverlayfs",
        c"root",
        c"overlay",
        Access::ReadWrite,
        &options,
    )?;
    Path::of(c"root").map(|root| root.enter())
}
