// SPDX-License-Identifier: GPL-2.0-only

//! From segments to one tree: a stack of layers, later segments over earlier ones.
//!
//! ```text
//! rootfs                 the built-in initramfs, the lowest layer
//!  `- tmpfs              mounted on it, never part of the final root
//!      |  layer0, ...    archives, unpacked ([`archive_layer`])
//!      |  upper          what is written
//!      |  work, ...      overlayfs's scratch
//!      `- image          the first one, mounted on the tmpfs's root
//!          `- image      the second one, mounted on the root of the first, and so on
//!              `- overlay
//! ```
//!
//! Each mount is on the root of the one before, where nobody looks for it: overlayfs takes the
//! layers as open files. The files that EROFS images are mounted from belong to an [`initrdfs`]
//! that is mounted nowhere; other filesystems have a block device each ([`image_mount`]). Nothing
//! of this is left in the root or in the namespace afterwards: overlayfs keeps private clones of
//! its layers, and the hand-off detaches the rest with the old root.
//!
//! Owning the bytes is the task of memory, and making this tree the root is that of handoff. May
//! use: initrd, memory, parameter, policy, report, source, sys.

mod archive_layer;
mod image_mount;
mod lower;
mod model;
pub(crate) mod plan;
pub(crate) mod stack;

use initoverlayfs_macros::init;
use kernel::{
    prelude::*,
    str::CString, //
};

use crate::{
    layers::{
        lower::{
            Lower,
            SOURCE, //
        },
        model::make_dir_like,
        plan::{
            Content,
            Contents,
            Layer, //
        },
        stack::Stack, //
    },
    memory::segment_file::{
        File,
        Segments, //
    },
    parameter::{
        boot_parameters,
        options::{
            Mode,
            Options,
            Root, //
        }, //
    },
    report::{
        failure::{
            Cause,
            Failure,
            Step, //
        },
        timeline::{
            Phase,
            Timeline, //
        }, //
    },
    source::initrdfs, //
};

use crate::sys::vfs::{
    init::{
        check_executable,
        make_dir, //
    },
    mount::{
        Access,
        AccessTimes,
        Context,
        Mount, //
    },
    path::Path,
    view::View, //
};

/// The root is to behave as much like a tmpfs as overlayfs can.
const OPTIONS: [(&CStr, Option<&CStr>); 4] = [
    // One device number for everything, as far as inode numbers leave room for a layer's number.
    (c"xino", Some(c"on")),
    // Directories can be renamed.
    (c"redirect_dir", Some(c"on")),
    // A change of owner or mode does not copy the data.
    (c"metacopy", Some(c"on")),
    // Nobody will see this overlay again and ask whether it is the same: it needs no identity in
    // its upper directory.
    (c"uuid", Some(c"null")),
];

/// Mounts the layers and an overlay of them, or the bare image, and enters the result.
///
/// # Errors
///
/// The [`Failure`] of the step that failed.
#[init]
pub(crate) fn mount(
    layers: KVec<Layer>,
    options: &Options<'_>,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    let contents = Contents::of(layers, options)?;
    timeline.end(Phase::Admit);
    let stack = match options.root {
        Root::Overlay => mount_overlay(contents, options, timeline)?,
        Root::ReadOnly | Root::ReadWrite => mount_bare(contents, options.root, timeline)?,
    };
    stack
        .root()
        .and_then(check_init)
        .map_err(|e| Step::Init.failed(e))?;
    if options.root == Root::Overlay {
        timeline.end(Phase::Overlay);
    }
    Ok(stack)
}

/// Checks that the kernel will find its first program in the new root. Without it, the kernel
/// mounts what `root=` names, and needs a writable root for that.
///
/// # Errors
///
/// `ENOMEM`, and errors of `init_eaccess()`.
#[init]
fn check_init(root: &Path) -> Result {
    let init = boot_parameters::init_program()?;
    let _view = View::of(root)?;
    check_executable(&init)
}

/// Mounts the image itself as the root.
///
/// # Errors
///
/// The [`Failure`] of the step that failed.
#[init]
fn mount_bare(
    contents: Contents<'_>,
    root: Root,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    let is_writable = root == Root::ReadWrite;
    let option = if is_writable { "rw" } else { "ro" };
    let Contents { list, files } = contents;
    let mut image = None;
    let mut images = 0usize;
    for (index, content) in list.into_iter().enumerate() {
        if let Content::Archives(_) = content {
            pr_warn!("{option}: a cpio archive in the initrd is left out\n");
        } else {
            images = images.saturating_add(1);
            image = Some((index, content));
        }
    }
    let Some((index, image)) = image.filter(|_| images == 1) else {
        return Err(Step::Segments.failed(Cause::NotOne(images)));
    };

    let step = image.step();
    let mut stack = Stack::on_root().map_err(|e| Step::Segments.failed(e))?;
    let mount = match image {
        Content::OnDisk(image) if is_writable => {
            let image = KBox::into_inner(image).writable();
            let image = image.map_err(|e| step.failed_at(index, e))?;
            image
                .mount(&mut stack)
                .map_err(|e| step.failed_at(index, e))?
        }
        Content::OnDisk(image) => KBox::into_inner(image)
            .mount(&mut stack)
            .map_err(|e| step.failed_at(index, e))?,
        _ if is_writable => return Err(step.failed_at(index, EROFS)),
        _ => {
            let files = mount_files(files, &mut stack).map_err(|e| Step::Segments.failed(e))?;
            timeline.end(Phase::Segments);
            image_mount::erofs(&files.root(), 0).map_err(|e| step.failed_at(index, e))?
        }
    };
    stack
        .attach_root(mount, AccessTimes::Relative)
        .map_err(|e| step.failed_at(index, e))?;
    timeline.end(Phase::Image(index));
    Ok(stack)
}

/// Shows EROFS images as files.
///
/// # Errors
///
/// `ENOMEM`, and errors of [`initrdfs::mount`].
fn mount_files(files: KVec<File>, stack: &mut Stack) -> Result<Mount> {
    let segments = Segments::new(files)?;
    let mount = initrdfs::mount(&segments);
    stack.keep(segments)?;
    mount
}

/// Mounts all layers, and an overlay with a writable tmpfs on top.
///
/// # Errors
///
/// The [`Failure`] of the step that failed.
#[init]
fn mount_overlay(
    contents: Contents<'_>,
    options: &Options<'_>,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    let Contents { list, files } = contents;
    let mut stack = Stack::on_root().map_err(|e| Step::Tmpfs.failed(e))?;
    tmpfs(options, stack.old_root())
        .and_then(|tmpfs| stack.attach_tmpfs(tmpfs))
        .map_err(|e| Step::Tmpfs.failed(e))?;
    timeline.end(Phase::Tmpfs);
    let files = if files.is_empty() {
        None
    } else {
        let files = mount_files(files, &mut stack).map_err(|e| Step::Segments.failed(e))?;
        timeline.end(Phase::Segments);
        Some(files.root())
    };

    let mut lower = Lower::new(stack.old_root());
    for (index, content) in list.into_iter().enumerate() {
        let step = content.step();
        let phase = if matches!(content, Content::Archives(_)) {
            Phase::Archives(index)
        } else {
            Phase::Image(index)
        };
        let layer = match content {
            Content::Erofs(number) => files
                .as_ref()
                .ok_or(EINVAL)
                .and_then(|files| image_mount::erofs(files, number))
                .and_then(|image| stack.attach(image))
                .map_err(|e| step.failed_at(index, e))?,
            Content::OnDisk(image) => KBox::into_inner(image)
                .mount(&mut stack)
                .and_then(|image| stack.attach(image))
                .map_err(|e| step.failed_at(index, e))?,
            Content::Archives(archives) => {
                let (layer, work) =
                    layer_dirs(index, &lower).map_err(|e| Step::Tmpfs.failed_at(index, e))?;
                let stopped = archives
                    .unpack(&layer, &work, &lower)
                    .map_err(|e| step.failed_at(index, e))?;
                if let Some(cause) = stopped {
                    let failure = step.failed_at(index, cause);
                    if options.mode == Mode::Require || options.policy.is_set() {
                        return Err(failure);
                    }
                    // As in a stock boot.
                    pr_err!("{failure}, going on with what came before that\n");
                }
                layer
            }
        };
        timeline.end(phase);
        lower
            .cover_with(layer)
            .map_err(|e| Step::Overlay.failed(e))?;
    }

    overlay(&lower)
        .and_then(|overlay| stack.attach_root(overlay, AccessTimes::Strict))
        .map_err(|e| Step::Overlay.failed(e))?;
    Ok(stack)
}

/// Makes the tmpfs that everything is built in. Without `size=`, it has the limits of the old root:
/// those of `initramfs_options=`, or else half of memory. A ramfs has no limit. The old root is one
/// if `root=` is given without `rootfstype=tmpfs`.
///
/// # Errors
///
/// Errors of `vfs_statfs()`, and of making and mounting a tmpfs ([`Context`]).
fn tmpfs(options: &Options<'_>, old_root: &Path) -> Result<Mount> {
    let stock = old_root.statistics()?;
    let size = match options.size {
        Some(size) => CString::try_from_fmt(fmt!("{size}"))?,
        None => CString::try_from_fmt(fmt!("{}", stock.size()?))?,
    };
    let inodes = CString::try_from_fmt(fmt!("{}", stock.files()))?;
    let mut tmpfs = Context::new(c"tmpfs", Some(SOURCE), Access::ReadWrite)?;
    tmpfs.set(c"mode", Some(c"0755"))?;
    tmpfs.set(c"size", Some(&size))?;
    tmpfs.set(c"nr_inodes", Some(&inodes))?;
    tmpfs.mount()
}

/// Makes a writable overlay of all layers.
///
/// # Errors
///
/// Errors of [`make_dir_like`], and of making and mounting an overlay ([`Context`]).
#[init]
fn overlay(lower: &Lower) -> Result<Mount> {
    let upper = make_dir_like(c"upper", lower.uppermost())?;
    lower.below(&upper, &new_dir(c"work")?, &OPTIONS)
}

/// Makes a directory in the tmpfs, which is the working directory.
#[init]
fn new_dir(name: &CStr) -> Result<Path> {
    make_dir(name)?;
    Path::of(name)
}

/// Makes the directory in the tmpfs for layer `index`, and one for the overlay that fills it.
#[init]
fn layer_dirs(index: usize, lower: &Lower) -> Result<(Path, Path)> {
    let layer = CString::try_from_fmt(fmt!("layer{index}"))?;
    let work = CString::try_from_fmt(fmt!("work{index}"))?;
    Ok((make_dir_like(&layer, lower.uppermost())?, new_dir(&work)?))
}
