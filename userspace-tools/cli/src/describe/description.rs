// SPDX-License-Identifier: GPL-2.0-only

//! The description of an initrd: what `inspect` shows and `check` judges.

use initoverlayfs_core::initrd::filesystem::Filesystem;
use initoverlayfs_image::kernel_decompressors::Demand;
use serde::Serialize;

use crate::describe::sizes::Counted;

/// The content of a file.
#[derive(Debug, Serialize)]
pub struct View {
    /// Bytes.
    pub size: usize,
    /// The segments, in the order of the file: each is a layer over those before it.
    pub segments: Vec<Segment>,
    /// The way in which the kernel boots it.
    pub boot: Boot,
    /// Parameters for the kernel at its end.
    pub bootconfig: Option<Bootconfig>,
    /// Texts about what will not work.
    pub problems: Vec<String>,
    /// Texts about behaviour that may surprise.
    pub warnings: Vec<String>,
}

/// The place of the parameters for the kernel.
#[derive(Debug, Serialize)]
pub struct Bootconfig {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// The way in which the kernel uses an initrd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boot {
    /// Images are mounted in place.
    InPlace,
    /// The kernel's own unpacker takes all of it, as without initoverlayfs.
    Stock,
    /// The boot goes on to `root=`, or panics under `initoverlayfs=require`.
    Refused,
}

/// A segment.
#[derive(Debug, Serialize)]
pub struct Segment {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// The kind.
    #[serde(flatten)]
    pub content: Content,
}

/// The content of a segment.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Content {
    /// An EROFS image.
    Erofs(Box<Image>),
    /// A btrfs image.
    Btrfs(Box<OtherImage>),
    /// A squashfs image.
    Squashfs(Box<OtherImage>),
    /// An ext4 image.
    Ext4(Box<OtherImage>),
    /// Archives.
    Cpio {
        /// One after the other.
        archives: Vec<CpioArchive>,
    },
    /// Neither; the kernel passes over it.
    Unknown,
}

/// Facts about an EROFS image.
#[derive(Debug, Serialize)]
pub struct Image {
    /// Bytes.
    pub block_size: u64,
    /// 32 hexadecimal digits.
    pub uuid: String,
    /// The name.
    pub volume_name: String,
    /// Files of all kinds.
    pub inodes: u64,
    /// Seconds since 1970.
    pub build_time: u64,
    /// Names of features.
    pub features: Vec<&'static str>,
    /// Features without a name here, as bits.
    pub unknown_features: u32,
    /// Algorithms that files may be compressed with.
    pub compression: Vec<&'static str>,
    /// The parts that its size is made of; null in JSON if they could not be counted.
    pub sizes: Counted,
    /// The trailer that seals it, if there is one.
    pub seal: Option<Sealed>,
}

/// Facts about an image of another filesystem; nothing where that does not state any.
#[derive(Debug, Serialize)]
pub struct OtherImage {
    /// Bytes.
    pub block_size: usize,
    /// 32 hexadecimal digits.
    pub uuid: Option<String>,
    /// The name.
    pub volume_name: String,
    /// Files of all kinds.
    pub inodes: Option<u64>,
    /// Bytes that are not in use.
    pub free: Option<u64>,
    /// Seconds since 1970.
    pub build_time: Option<u64>,
    /// Algorithms that files may be compressed with, as far as that shows: zlib in btrfs does not.
    pub compression: Vec<&'static str>,
    /// The trailer that seals it, if there is one.
    pub seal: Option<Sealed>,
}

impl Content {
    /// Returns an image of another filesystem than EROFS, and which that is.
    pub fn other(&self) -> Option<(Filesystem, &OtherImage)> {
        match self {
            Self::Btrfs(image) => Some((Filesystem::Btrfs, image)),
            Self::Squashfs(image) => Some((Filesystem::Squashfs, image)),
            Self::Ext4(image) => Some((Filesystem::Ext4, image)),
            Self::Erofs(_) | Self::Cpio { .. } | Self::Unknown => None,
        }
    }

    /// Returns whether it is an image, of whichever filesystem.
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Erofs(_)) || self.other().is_some()
    }

    /// Returns what seals it, if anything.
    pub fn seal(&self) -> Option<&Sealed> {
        match self {
            Self::Erofs(image) => image.seal.as_ref(),
            _ => self.other().and_then(|(_, image)| image.seal.as_ref()),
        }
    }
}

/// Facts about the trailer of an image.
#[derive(Debug, Serialize)]
pub struct Sealed {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// The fs-verity digest; nothing if the trailer is damaged.
    pub digest: Option<String>,
    /// Hexadecimal digits.
    pub salt: String,
    /// Bytes of the tree.
    pub tree: usize,
    /// Bytes of the signature; 0 without one.
    pub signature: usize,
    /// The problem of the trailer.
    pub problem: Option<String>,
}

/// Facts about an archive.
#[derive(Debug, Serialize)]
pub struct CpioArchive {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Bytes when decompressed.
    pub unpacked: usize,
    /// The compression; nothing if there is none.
    pub compression: Option<String>,
    /// Entries, without the trailer.
    pub entries: usize,
    /// Set if only the early boot reads it: microcode, ACPI tables.
    pub early: bool,
    /// Demands on the kernel that decompresses it, besides the method.
    #[serde(skip)]
    pub demands: Vec<Demand>,
}
