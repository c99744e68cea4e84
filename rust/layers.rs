// SPDX-License-Identifier: GPL-2.0-only

//! From segments to one tree: a stack of layers, later segments over earlier ones.
//!
//! ```text
//! rootfs                 the built-in initramfs, the lowest layer
//!  `- tmpfs              mounted on it, never part of the final root
//!      |  layer0, ...    archives, unpacked ([`archive`])
//!      |  upper          what is written
//!      |  work           overlayfs's scratch
//!      `- EROFS          the first image, mounted on the tmpfs's root
//!          `- EROFS      the second one, mounted on the root of the first, and so on
//!              `- overlay
//! ```
//!
//! Each mount is on the root of the one before, where nobody looks for it: overlayfs takes the
//! layers as open files. The files that the images are mounted from belong to an [`initrdfs`] that
//! is mounted nowhere. Nothing of this is left in the root or in the namespace afterwards:
//! overlayfs keeps private clones of its layers, and the hand-off detaches the rest with the old
//! root.

use initoverlayfs_macros::init;
use kernel::{
    alloc::AllocError,
    prelude::*,
    str::CString, //
};

use crate::{
    account::Account,
    archive,
    attributes::make_dir_like,
    failure::{
        Cause,
        Failure,
        Step, //
    },
    file::File,
    initrd::{
        Kind,
        Segment, //
    },
    initrdfs,
    options::{
        Options,
        Policy, //
    },
    region::{
        Memory,
        Region, //
    },
    stack::Stack,
    timeline::{
        Phase,
        Timeline, //
    },
    usage::Usage,
    vfs::{
        self,
        Access,
        Context,
        Handle,
        Mount,
        Path, //
    }, //
};

/// What `/proc/mounts` shows as the source of the tmpfs and of the overlay.
const SOURCE: &CStr = c"initoverlayfs";

/// Nobody will see this overlay again and ask whether it is the same: it needs no identity in its
/// upper directory.
const UUID: (&CStr, Option<&CStr>) = (c"uuid", Some(c"null"));

/// A segment with its memory.
pub(crate) struct Layer {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where its bytes are, and behind them its trailer.
    pub(crate) memory: Memory,
    /// Its size in bytes, without the trailer.
    len: usize,
    /// The size of its trailer, in bytes; 0 if it has none.
    trailer_len: usize,
    /// What counts who reads it.
    usage: Usage,
}

impl Layer {
    /// An image as a file, if the policy admits it: image `number`, layer `index`.
    fn into_file(self, policy: &Policy<'_>, number: usize, index: usize) -> Result<File, Failure> {
        let bytes = self.memory.bytes();
        let guard = policy
            .admit(bytes, self.len, self.trailer_len, number, index)
            .map_err(|refusal| Step::Verify.failed_at(index, refusal))?;
        Ok(File::new(self.memory, self.len, guard, self.usage))
    }
}

/// Gives each segment its memory, and lists them in the account.
///
/// # Errors
///
/// `ENOMEM`; the memory of all of them is freed then.
pub(crate) fn divide(
    region: Region,
    segments: KVec<Segment>,
    account: &mut Account,
) -> Result<KVec<Layer>> {
    let mut layers = KVec::with_capacity(segments.len(), GFP_KERNEL)?;
    let memory = region.divide(segments.iter().map(Segment::whole))?;
    for (segment, memory) in segments.into_iter().zip(memory) {
        let usage = Usage::new(&segment.kind, segment.range.len())?;
        account.layers.push(usage.clone(), GFP_KERNEL)?;
        let layer = Layer {
            kind: segment.kind,
            memory,
            len: segment.range.len(),
            trailer_len: segment.trailer.len(),
            usage,
        };
        layers.push(layer, GFP_KERNEL)?;
    }
    Ok(layers)
}

/// Makes files of the images, if the policy admits them; archives stay what they are.
fn contents(
    layers: KVec<Layer>,
    policy: &Policy<'_>,
) -> Result<(KVec<File>, KVec<Content>), Failure> {
    let no_memory = |error: AllocError| Step::Segments.failed(error);
    let images = layers.iter().filter(|layer| layer.kind.is_image()).count();
    policy
        .check_count(images)
        .map_err(|refusal| Step::Verify.failed(refusal))?;
    let mut files = KVec::with_capacity(images, GFP_KERNEL).map_err(no_memory)?;
    let mut contents = KVec::with_capacity(layers.len(), GFP_KERNEL).map_err(no_memory)?;
    for (index, layer) in layers.into_iter().enumerate() {
        let content = if layer.kind.is_image() {
            let number = files.len();
            let file = layer.into_file(policy, number, index)?;
            files.push(file, GFP_KERNEL).map_err(no_memory)?;
            Content::Image(number)
        } else {
            Content::Archives(Archives {
                memory: layer.memory,
                usage: layer.usage,
            })
        };
        contents.push(content, GFP_KERNEL).map_err(no_memory)?;
    }
    Ok((files, contents))
}

/// Mounts the layers and what makes one tree of them, and enters it.
#[init]
pub(crate) fn mount(
    layers: KVec<Layer>,
    options: &Options<'_>,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    let (files, contents) = contents(layers, &options.policy)?;
    timeline.end(Phase::Admit);
    let stack = if options.read_only {
        mount_read_only(files, &contents, timeline)?
    } else {
        mount_overlay(files, contents, options, timeline)?
    };
    // A root whose directory cannot be read would be no root for the kernel's own fallback either.
    match Path::of(c"dev") {
        Err(error) if error != ENOENT && error != ENOTDIR => return Err(Step::Root.failed(error)),
        _ => (),
    }
    if !options.read_only {
        timeline.end(Phase::Overlay);
    }
    Ok(stack)
}

/// The image itself as the root.
#[init]
fn mount_read_only(
    files: KVec<File>,
    contents: &KVec<Content>,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    for content in contents {
        if let Content::Archives(_) = content {
            pr_warn!("ro: a cpio archive in the initrd is left out\n");
        }
    }
    if files.len() != 1 {
        pr_err!("ro: needs one EROFS image, found {}\n", files.len());
        return Err(Step::Segments.failed(EINVAL));
    }

    let mut stack = Stack::on_root().map_err(|e| Step::Segments.failed(e))?;
    let (files, segments) = initrdfs::mount(files).map_err(|e| Step::Segments.failed(e))?;
    stack.keep(segments);
    timeline.end(Phase::Segments);
    erofs(&files.root(), 0)
        .and_then(|image| stack.attach_root(image))
        .map_err(|e| Step::Erofs.failed_at(0, e))?;
    timeline.end(Phase::Image(0));
    Ok(stack)
}

/// What a layer is made of, once the images are files.
enum Content {
    /// The image in the file with this number.
    Image(usize),
    /// Archives, still to be unpacked.
    Archives(Archives),
}

/// Archives that become one layer.
struct Archives {
    memory: Memory,
    usage: Usage,
}

impl Archives {
    /// Unpacks them, and gives their memory back.
    #[init]
    fn unpack(self, layer: &Path, lower: &Lower) -> Result<(), Cause> {
        let bytes = self.memory.bytes();
        self.usage.count(0, bytes.len());
        archive::unpack(bytes, layer, lower)?;
        if self.memory.is_given_back() {
            self.usage.release();
        }
        Ok(())
    }
}

/// All layers below a writable tmpfs.
#[init]
fn mount_overlay(
    files: KVec<File>,
    contents: KVec<Content>,
    options: &Options<'_>,
    timeline: &mut Timeline,
) -> Result<Stack, Failure> {
    let mut stack = Stack::on_root().map_err(|e| Step::Tmpfs.failed(e))?;
    tmpfs(options)
        .and_then(|tmpfs| stack.attach_tmpfs(tmpfs))
        .map_err(|e| Step::Tmpfs.failed(e))?;
    timeline.end(Phase::Tmpfs);
    let (files, segments) = initrdfs::mount(files).map_err(|e| Step::Segments.failed(e))?;
    stack.keep(segments);
    let files = files.root();
    timeline.end(Phase::Segments);

    let mut lower = Lower::new(stack.old_root()).map_err(|e| Step::Tmpfs.failed(e))?;
    for (index, content) in contents.into_iter().enumerate() {
        let layer = match content {
            Content::Image(file) => {
                let layer = erofs(&files, file)
                    .and_then(|image| stack.attach(image))
                    .map_err(|e| Step::Erofs.failed_at(index, e))?;
                timeline.end(Phase::Image(index));
                layer
            }
            Content::Archives(archives) => {
                let layer =
                    layer_dir(index, &lower).map_err(|e| Step::Tmpfs.failed_at(index, e))?;
                archives
                    .unpack(&layer, &lower)
                    .map_err(|cause| Step::Unpack.failed_at(index, cause))?;
                timeline.end(Phase::Archives(index));
                layer
            }
        };
        lower
            .cover_with(layer)
            .map_err(|e| Step::Overlay.failed(e))?;
    }

    make_dir_like(c"upper", lower.uppermost())
        .and_then(|upper| lower.below(&upper, &[UUID]))
        .and_then(|overlay| stack.attach_root(overlay))
        .map_err(|e| Step::Overlay.failed(e))?;
    Ok(stack)
}

/// The tmpfs that everything is built in.
fn tmpfs(options: &Options<'_>) -> Result<Mount> {
    let size = CString::try_from_fmt(fmt!("{}", options.size.unwrap_or("50%")))?;
    let mut tmpfs = Context::new(c"tmpfs", Some(SOURCE), Access::ReadWrite)?;
    tmpfs.set(c"mode", Some(c"0755"))?;
    tmpfs.set(c"size", Some(&size))?;
    tmpfs.mount()
}

/// The image in initrdfs file `number`.
fn erofs(files: &Path, number: usize) -> Result<Mount> {
    let name = CString::try_from_fmt(fmt!("{number}"))?;
    let mut erofs = Context::new(c"erofs", None, Access::ReadOnly)?;
    erofs.set_path(c"source", &files.below(&name)?, Handle::Reader)?;
    erofs.mount()
}

/// Makes the directory in the tmpfs for layer `index`.
#[init]
fn layer_dir(index: usize, lower: &Lower) -> Result<Path> {
    let name = CString::try_from_fmt(fmt!("layer{index}"))?;
    make_dir_like(&name, lower.uppermost())
}

/// The layers so far, and the directory in the tmpfs that overlays of them work in.
pub(crate) struct Lower {
    /// The lowest one.
    lowest: Path,
    /// Those on it, in order.
    layers: KVec<Path>,
    work: Path,
}

impl Lower {
    /// The built-in initramfs alone. The working directory is the tmpfs.
    #[init]
    fn new(lowest: &Path) -> Result<Self> {
        vfs::make_dir(c"work")?;
        Ok(Self {
            lowest: lowest.clone(),
            layers: KVec::new(),
            work: Path::of(c"work")?,
        })
    }

    /// Puts the directory `layer` on top.
    fn cover_with(&mut self, layer: Path) -> Result {
        Ok(self.layers.push(layer, GFP_KERNEL)?)
    }

    /// The directory on top.
    fn uppermost(&self) -> &Path {
        self.layers.last().unwrap_or(&self.lowest)
    }

    /// An overlay of these layers below the directory `upper`, with more options.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and what overlayfs says.
    pub(crate) fn below(&self, upper: &Path, others: &[(&CStr, Option<&CStr>)]) -> Result<Mount> {
        let mut overlay = Context::new(c"overlay", Some(SOURCE), Access::ReadWrite)?;
        for (key, value) in others {
            overlay.set(key, *value)?;
        }
        for layer in self.layers.iter().rev() {
            overlay.set_path(c"lowerdir+", layer, Handle::Place)?;
        }
        overlay.set_path(c"lowerdir+", &self.lowest, Handle::Place)?;
        overlay.set_path(c"upperdir", upper, Handle::Place)?;
        overlay.set_path(c"workdir", &self.work, Handle::Place)?;
        overlay.mount()
    }
}
