// SPDX-License-Identifier: GPL-2.0-only

//! From segments to one tree: a stack of layers, later segments over earlier ones.
//!
//! ```text
//! rootfs            the built-in initramfs, the lowest layer
//!  `- tmpfs         mounted over it, never part of the final root
//!      |- segments  initrdfs: 0, 1, ... the EROFS images in the initrd
//!      |- layer0    what is in the first segment: an EROFS mount, or unpacked archives ([`archive`])
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
    alloc::AllocError,
    prelude::*,
    str::{
        BStr,
        CString, //
    }, //
};

use crate::{
    archive,
    attributes::make_dir_like,
    failure::{
        Failure,
        Step, //
    },
    initrd::{
        Kind,
        Segment, //
    },
    initrdfs::{
        self,
        File,
        Segments, //
    },
    options::{
        Options,
        Policy, //
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
    }, //
};

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
}

impl Layer {
    /// An image as a file, if the policy admits it: image `number`, layer `index`.
    fn into_file(self, policy: &Policy<'_>, number: usize, index: usize) -> Result<File, Failure> {
        let bytes = self.memory.bytes();
        let guard = policy
            .admit(bytes, self.len, self.trailer_len, number, index)
            .map_err(|refusal| Step::Verify.failed_at(index, refusal))?;
        Ok(File::new(self.memory, self.len, guard))
    }
}

/// Gives each segment its memory.
///
/// # Errors
///
/// `ENOMEM`; the memory of all of them is freed then.
pub(crate) fn divide(region: Region, segments: KVec<Segment>) -> Result<KVec<Layer>> {
    let mut layers = KVec::with_capacity(segments.len(), GFP_KERNEL)?;
    let memory = region.divide(segments.iter().map(Segment::whole))?;
    for (segment, memory) in segments.into_iter().zip(memory) {
        let layer = Layer {
            kind: segment.kind,
            memory,
            len: segment.range.len(),
            trailer_len: segment.trailer.len(),
        };
        layers.push(layer, GFP_KERNEL)?;
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
    /// The images' memory, once it is mounted.
    segments: Option<Segments>,
    /// What archives are unpacked into, once it is mounted.
    tmpfs: Option<Path>,
}

impl Stack {
    /// Nothing mounted yet.
    fn on_root() -> Result<Self> {
        Ok(Self {
            old_root: Some(Path::of(c"/")?),
            base: None,
            segments: None,
            tmpfs: None,
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

    /// Attaches the tmpfs.
    fn attach_tmpfs(&mut self, tmpfs: Mount) -> Result {
        let root = tmpfs.root();
        self.attach(tmpfs)?;
        self.tmpfs = Some(root);
        Ok(())
    }

    /// Keeps the mounts; returns the old root, with which they can be detached.
    pub(crate) fn into_old_root(mut self) -> Option<Path> {
        self.base = None;
        self.segments = None;
        self.tmpfs = None;
        self.old_root.take()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The kernel's unpacker leaves a file open when it fails within one, and with it the tmpfs
        // and the images below: what they hold goes back all the same.
        if let Some(tmpfs) = self.tmpfs.take() {
            tmpfs.truncate_all();
        }
        if let Some(old_root) = &self.old_root {
            old_root.enter();
        }
        if let Some(Err(error)) = self.base.take().map(Path::detach) {
            pr_err!("unmounting the layers failed: error {}\n", error.to_errno());
        }
        if let Some(segments) = self.segments.take() {
            segments.withdraw();
        }
    }
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
            Content::Archives(layer.memory)
        };
        contents.push(content, GFP_KERNEL).map_err(no_memory)?;
    }
    Ok((files, contents))
}

/// Mounts the layers and what makes one tree of them, and enters it.
#[init]
pub(crate) fn mount(layers: KVec<Layer>, options: &Options<'_>) -> Result<Stack, Failure> {
    let (files, contents) = contents(layers, &options.policy)?;
    let stack = if options.read_only {
        mount_read_only(files, &contents)?
    } else {
        mount_overlay(files, contents, options)?
    };
    // A root whose directory cannot be read would be no root for the kernel's own fallback either.
    match Path::of(c"dev") {
        Err(error) if error != ENOENT && error != ENOTDIR => Err(Step::Root.failed(error)),
        _ => Ok(stack),
    }
}

/// The image itself as the root.
#[init]
fn mount_read_only(files: KVec<File>, contents: &KVec<Content>) -> Result<Stack, Failure> {
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
    initrdfs::mount(files)
        .and_then(|(files, segments)| {
            stack.segments = Some(segments);
            stack.attach(files)
        })
        .map_err(|e| Step::Segments.failed(e))?;
    Mount::new(c"erofs", c"0", Access::ReadOnly, c"")
        .and_then(|image| stack.attach(image))
        .map_err(|e| Step::Erofs.failed_at(0, e))?;
    Ok(stack)
}

/// What a layer is made of, once the images are files.
enum Content {
    /// The image in the file with this number.
    Image(usize),
    /// Archives, still to be unpacked.
    Archives(Memory),
}

/// All layers below a writable tmpfs.
#[init]
fn mount_overlay(
    files: KVec<File>,
    contents: KVec<Content>,
    options: &Options<'_>,
) -> Result<Stack, Failure> {
    let mut stack = Stack::on_root().map_err(|e| Step::Tmpfs.failed(e))?;
    tmpfs(options)
        .and_then(|tmpfs| stack.attach_tmpfs(tmpfs))
        .map_err(|e| Step::Tmpfs.failed(e))?;
    for name in [c"segments", c"work"] {
        vfs::make_dir(name).map_err(|e| Step::Tmpfs.failed(e))?;
    }

    attach_segments(files, &mut stack).map_err(|e| Step::Segments.failed(e))?;
    let mut lower = Lower::new().map_err(|e| Step::Overlay.failed(e))?;
    for (index, content) in contents.into_iter().enumerate() {
        let name = layer_name(index).map_err(|e| Step::Tmpfs.failed_at(index, e))?;
        make_layer_dir(&name, &content, &lower).map_err(|e| Step::Tmpfs.failed_at(index, e))?;
        match content {
            Content::Image(file) => {
                mount_image(file, &name).map_err(|e| Step::Erofs.failed_at(index, e))?;
            }
            // The archives' memory is given back as soon as they are unpacked.
            Content::Archives(memory) => archive::unpack(memory.bytes(), &name, &lower)
                .map_err(|cause| Step::Unpack.failed_at(index, cause))?,
        }
        lower
            .cover_with(&name)
            .map_err(|e| Step::Overlay.failed(e))?;
    }

    finish(&lower).map_err(|e| Step::Overlay.failed(e))?;
    Ok(stack)
}

/// Shows the images as files of an initrdfs on `segments`.
fn attach_segments(files: KVec<File>, stack: &mut Stack) -> Result {
    let (mount, segments) = initrdfs::mount(files)?;
    stack.segments = Some(segments);
    mount.attach(&Path::of(c"segments")?)
}

/// The tmpfs that everything is built in.
fn tmpfs(options: &Options<'_>) -> Result<Mount> {
    let size = options.size.unwrap_or("50%");
    let data = CString::try_from_fmt(fmt!("mode=0755,size={size}"))?;
    Mount::new(c"tmpfs", c"initoverlayfs", Access::ReadWrite, &data)
}

/// The name of layer `index` in the tmpfs.
fn layer_name(index: usize) -> Result<CString> {
    CString::try_from_fmt(fmt!("layer{index}"))
}

/// Makes a layer's directory. An image covers it, attributes and all.
#[init]
fn make_layer_dir(name: &CStr, content: &Content, lower: &Lower) -> Result {
    match content {
        Content::Image(_) => vfs::make_dir(name),
        Content::Archives(_) => make_dir_like(name, &lower.uppermost()?),
    }
}

/// Mounts initrdfs file `file` on `place`.
#[init]
fn mount_image(file: usize, place: &CStr) -> Result {
    let source = CString::try_from_fmt(fmt!("segments/{file}"))?;
    vfs::mount(&source, place, c"erofs", Access::ReadOnly, b"")
}

/// The layers so far, as overlayfs's `lowerdir=` wants them: the uppermost first.
pub(crate) struct Lower(KVec<u8>);

impl Lower {
    /// The built-in initramfs alone.
    fn new() -> Result<Self> {
        let mut list = KVec::new();
        list.push(b'/', GFP_KERNEL)?;
        Ok(Self(list))
    }

    /// Puts the directory `layer` on top.
    fn cover_with(&mut self, layer: &CStr) -> Result {
        let mut list = KVec::new();
        list.extend_from_slice(layer.to_bytes(), GFP_KERNEL)?;
        list.push(b':', GFP_KERNEL)?;
        list.extend_from_slice(&self.0, GFP_KERNEL)?;
        self.0 = list;
        Ok(())
    }

    /// The directory on top.
    fn uppermost(&self) -> Result<CString> {
        let name = self.0.split(|byte| *byte == b':').next().unwrap_or(b"/");
        CString::try_from_fmt(fmt!("{}", BStr::from_bytes(name)))
    }

    /// Mount options of an overlay of these layers below the directory `upper`, whose scratch
    /// directory is `work`.
    pub(crate) fn below(&self, upper: &CStr, others: &CStr) -> Result<KVec<u8>> {
        let mut options = KVec::new();
        for part in [
            others.to_bytes(),
            b",workdir=work,upperdir=",
            upper.to_bytes(),
            b",lowerdir=",
            &self.0,
        ] {
            options.extend_from_slice(part, GFP_KERNEL)?;
        }
        Ok(options)
    }
}

/// Mounts the writable overlay over all layers, and enters it.
#[init]
fn finish(lower: &Lower) -> Result {
    make_dir_like(c"upper", &lower.uppermost()?)?;
    vfs::make_dir(c"root")?;
    vfs::mount(
        c"initoverlayfs",
        c"root",
        c"overlay",
        Access::ReadWrite,
        &lower.below(c"upper", c"volatile")?,
    )?;
    Path::of(c"root").map(|root| root.enter())
}
