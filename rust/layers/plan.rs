// SPDX-License-Identifier: GPL-2.0-only

//! The contents of the layers: segments with their memory, on their way to being mounted.

use initoverlayfs_macros::init;
use kernel::{
    alloc::AllocError,
    prelude::*, //
};

use crate::{
    initrd::{
        filesystem::Filesystem,
        Kind,
        Segment, //
    },
    layers::{
        archive_layer,
        image_mount::OnDisk,
        lower::Lower, //
    },
    memory::{
        region::{
            Memory,
            Region, //
        },
        segment_file::File,
        usage::Usage, //
    },
    parameter::options::{
        Options,
        Policy, //
    },
    policy,
    report::{
        boot_report::Account,
        failure::{
            Cause,
            Failure,
            Step, //
        }, //
    }, //
};

use crate::sys::vfs::path::Path;

/// A segment with its memory.
pub(crate) struct Layer {
    /// The kind.
    kind: Kind,
    /// The bytes, and behind them its trailer.
    memory: Memory,
    /// The size in bytes, without the trailer.
    len: usize,
    /// The size of its trailer, in bytes; 0 if it has none.
    trailer_len: usize,
    /// The counters of its reads.
    usage: Usage,
}

impl Layer {
    /// Returns an image as a file, if the policy admits it. Images alone are counted by `image`,
    /// images and archives by `layer`, both from 0.
    fn into_file(self, policy: &Policy<'_>, image: usize, layer: usize) -> Result<File, Failure> {
        let bytes = self.memory.bytes();
        let guard = policy::admit(policy, bytes, self.len, self.trailer_len, image, layer)
            .map_err(|refusal| Step::Verify.failed_at(layer, refusal))?;
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

/// The layers on their way to being mounted.
pub(crate) struct Contents<'a> {
    /// The lowest first.
    pub(crate) list: KVec<Content<'a>>,
    /// The EROFS images, in their order.
    pub(crate) files: KVec<File>,
}

/// The content of a layer, once images are files.
pub(crate) enum Content<'a> {
    /// The EROFS image in the file with this number.
    Erofs(usize),
    /// An image of another filesystem.
    OnDisk(KBox<OnDisk<'a>>),
    /// Archives, still to be unpacked.
    Archives(Archives),
}

impl Content<'_> {
    /// Returns how a failure to mount it is told.
    pub(crate) fn step(&self) -> Step {
        match self {
            Self::Erofs(_) => Step::Image(Filesystem::Erofs),
            Self::OnDisk(image) => Step::Image(image.filesystem),
            Self::Archives(_) => Step::Unpack,
        }
    }
}

impl<'a> Contents<'a> {
    /// Makes files of the images, if the policy admits them; archives stay what they are.
    ///
    /// # Errors
    ///
    /// Refusals of the policy, and `ENOMEM`.
    pub(crate) fn of(layers: KVec<Layer>, options: &Options<'a>) -> Result<Self, Failure> {
        let no_memory = |error: AllocError| Step::Segments.failed(error);
        let policy = &options.policy;
        let images = layers.iter().filter(|layer| layer.kind.is_image()).count();
        policy::check_count(policy, images).map_err(|refusal| Step::Verify.failed(refusal))?;
        let mut files = KVec::with_capacity(images, GFP_KERNEL).map_err(no_memory)?;
        let mut list = KVec::with_capacity(layers.len(), GFP_KERNEL).map_err(no_memory)?;
        let mut number = 0usize;
        for (index, layer) in layers.into_iter().enumerate() {
            let content = match layer.kind {
                Kind::Image(filesystem, geometry) => {
                    let file = layer.into_file(policy, number, index)?;
                    number = number.saturating_add(1);
                    if filesystem == Filesystem::Erofs {
                        files.push(file, GFP_KERNEL).map_err(no_memory)?;
                        Content::Erofs(files.len().saturating_sub(1))
                    } else {
                        let image = OnDisk {
                            filesystem,
                            file,
                            block_size: geometry.block_size,
                            subvol: options.subvol,
                        };
                        Content::OnDisk(KBox::new(image, GFP_KERNEL).map_err(no_memory)?)
                    }
                }
                Kind::Cpio | Kind::Unknown => Content::Archives(Archives {
                    memory: layer.memory,
                    usage: layer.usage,
                }),
            };
            list.push(content, GFP_KERNEL).map_err(no_memory)?;
        }
        Ok(Self { list, files })
    }
}

/// Archives that become one layer.
pub(crate) struct Archives {
    memory: Memory,
    usage: Usage,
}

impl Archives {
    /// Unpacks them, and gives their memory back. Returns as [`archive_layer::unpack`] does.
    ///
    /// # Errors
    ///
    /// Errors of [`archive_layer::unpack`].
    #[init]
    pub(crate) fn unpack(self, layer: &Path, work: &Path, lower: &Lower) -> Result<Option<Cause>> {
        let bytes = self.memory.bytes();
        self.usage.count(0, bytes.len());
        let stopped = archive_layer::unpack(bytes, layer, work, lower)?;
        if self.memory.is_given_back() {
            self.usage.release();
        }
        Ok(stopped)
    }
}
