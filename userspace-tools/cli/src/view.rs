// SPDX-License-Identifier: GPL-2.0-only

//! An initrd as the kernel sees it: what `inspect` shows and `check` judges.

use anyhow::Result;
use initoverlayfs_core::hash;
use initoverlayfs_core::initrd::image::{Filesystem, Geometry};
use initoverlayfs_core::initrd::seal::Seal;
use initoverlayfs_image::bootconfig;
use initoverlayfs_image::erofs::Superblock;
use initoverlayfs_image::facts::Facts;
use initoverlayfs_image::handover;
use initoverlayfs_image::initrd::{self, Archive, InitrdError, Layer, Part};
use initoverlayfs_image::kernel_decompressors::{demands, Demand};
use initoverlayfs_image::seal::SealProblem;
use initoverlayfs_image::tree::{Kind, Tree};
use serde::Serialize;

use crate::summary::shown;
use crate::warnings;

/// More segments than this are an error to the kernel: `MAX_SEGMENTS` in `rust/scan.rs`.
pub const MOST_SEGMENTS: usize = 64;

/// What is in a file.
#[derive(Debug, Serialize)]
pub struct View {
    /// Bytes.
    pub size: usize,
    /// Its segments, in the order of the file: each is a layer over those before it.
    pub segments: Vec<Segment>,
    /// How the kernel boots it.
    pub boot: Boot,
    /// Parameters for the kernel at its end.
    pub bootconfig: Option<Bootconfig>,
    /// What will not work.
    pub problems: Vec<String>,
    /// What works otherwise than one might expect.
    pub warnings: Vec<String>,
}

/// Where parameters for the kernel are.
#[derive(Debug, Serialize)]
pub struct Bootconfig {
    /// Bytes from the start of the file.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
}

/// What the kernel makes of it.
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
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
}

/// What a segment is.
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
    /// Its name.
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
    /// What seals it, if anything.
    pub seal: Option<Sealed>,
}

/// Facts about an image of another filesystem; nothing where that does not state any.
#[derive(Debug, Serialize)]
pub struct OtherImage {
    /// Bytes.
    pub block_size: usize,
    /// 32 hexadecimal digits.
    pub uuid: Option<String>,
    /// Its name.
    pub volume_name: String,
    /// Files of all kinds.
    pub inodes: Option<u64>,
    /// Bytes that are not in use.
    pub free: Option<u64>,
    /// Seconds since 1970.
    pub build_time: Option<u64>,
    /// Algorithms that files may be compressed with, as far as that shows: zlib in btrfs does not.
    pub compression: Vec<&'static str>,
    /// What seals it, if anything.
    pub seal: Option<Sealed>,
}

impl Content {
    /// An image of another filesystem than EROFS, and which that is.
    pub fn other(&self) -> Option<(Filesystem, &OtherImage)> {
        match self {
            Self::Btrfs(image) => Some((Filesystem::Btrfs, image)),
            Self::Squashfs(image) => Some((Filesystem::Squashfs, image)),
            Self::Ext4(image) => Some((Filesystem::Ext4, image)),
            Self::Erofs(_) | Self::Cpio { .. } | Self::Unknown => None,
        }
    }

    /// Whether it is an image, of whichever filesystem.
    pub fn is_image(&self) -> bool {
        matches!(self, Self::Erofs(_)) || self.other().is_some()
    }

    /// What seals it, if anything.
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
    /// What is wrong with it.
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
    /// How it is compressed; nothing if it is not.
    pub compression: Option<String>,
    /// Entries, without the trailer.
    pub entries: usize,
    /// Whether only the early boot reads it: microcode, ACPI tables.
    pub early: bool,
    /// What the kernel has to have to decompress it, besides the method.
    #[serde(skip)]
    pub demands: Vec<Demand>,
}

/// A file, taken apart.
pub struct Opened {
    /// What to show.
    pub view: View,
    /// The tree of all layers; nothing if they cannot be read.
    pub tree: Option<Tree>,
    /// Why they cannot, if that is no fault of theirs.
    pub obstacle: Option<InitrdError>,
    /// What was not looked into, as nothing here can.
    pub unread: Option<InitrdError>,
}

/// Looks at a file as a whole, its files included.
pub fn open(file: &[u8]) -> Result<Opened> {
    let found = bootconfig::find(file);
    let bytes = &file[..found.as_ref().map_or(file.len(), |range| range.start)];
    let bootconfig = found.map(|range| Bootconfig {
        offset: range.start,
        size: range.len(),
    });
    let layers = match initrd::read(bytes) {
        Ok(layers) => layers,
        Err(error) => {
            let mut problems = vec![error.to_string()];
            let boot = if !initrd::has_image(bytes) {
                Boot::Stock
            } else if error.is_told_by_the_unpacker() {
                problems.push(
                    "what stands before that is unpacked, or the boot panics if initoverlayfs=require is given"
                        .to_owned(),
                );
                Boot::InPlace
            } else {
                Boot::Refused
            };
            let view = View {
                size: file.len(),
                segments: Vec::new(),
                boot,
                bootconfig,
                problems,
                warnings: Vec::new(),
            };
            return Ok(Opened {
                view,
                tree: None,
                obstacle: None,
                unread: None,
            });
        }
    };
    let segments = layers
        .iter()
        .map(|layer| segment(bytes, layer))
        .collect::<Result<Vec<_>>>()?;
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let has_image = segments.iter().any(|segment| segment.content.is_image());
    let mut boot = if has_image {
        Boot::InPlace
    } else {
        Boot::Stock
    };
    if has_image && segments.len() > MOST_SEGMENTS {
        problems.push(format!(
            "{} segments; the kernel takes {MOST_SEGMENTS}",
            segments.len()
        ));
        boot = Boot::Refused;
    }
    for segment in segments
        .iter()
        .filter(|s| matches!(s.content, Content::Unknown))
    {
        let (offset, size) = (segment.offset, segment.size);
        let text = format!("offset {offset:#x}: {size} bytes that are no image and no archive");
        if has_image {
            warnings.push(format!("{text}: the kernel leaves them out"));
        } else {
            problems.push(text);
        }
    }
    for segment in &segments {
        if let Content::Cpio { archives } = &segment.content {
            for archive in archives {
                for demand in &archive.demands {
                    if let Demand::Never(what) = demand {
                        let offset = archive.offset;
                        problems.push(format!("the archive at {offset:#x}: {what}"));
                    }
                }
            }
        }
        let seal = segment.content.seal();
        if let Some(problem) = seal.and_then(|seal| seal.problem.as_ref()) {
            let offset = segment.offset;
            problems.push(format!(
                "the trailer of the image at {offset:#x}: {problem}"
            ));
        }
    }
    let mut unread = None;
    let (tree, error) = match initrd::merge_layers(bytes, &layers) {
        Ok(tree) => (Some(tree), None),
        Err(error @ InitrdError::Unreadable(..)) => {
            unread = Some(error);
            (None, None)
        }
        Err(error) => {
            problems.push(error.to_string());
            (None, Some(error))
        }
    };
    let is_obstacle = |error: &InitrdError| match error {
        InitrdError::Erofs(_, cause) => cause.is_of_this_machine(),
        InitrdError::Squashfs(_, cause) => cause.is_of_this_machine(),
        _ => false,
    };
    let obstacle = error.filter(is_obstacle);
    if let Some(tree) = &tree {
        problems.extend(init_problem(tree));
        if boot == Boot::InPlace {
            warnings.extend(warnings::of(tree));
        }
        if boot == Boot::InPlace {
            let found = handover::find(tree);
            problems.extend(
                found
                    .iter()
                    .map(|(p, one)| format!("/{}: {}", shown(p), one.tool.trouble())),
            );
        }
    }
    let view = View {
        size: file.len(),
        segments,
        boot,
        bootconfig,
        problems,
        warnings,
    };
    Ok(Opened {
        view,
        tree,
        obstacle,
        unread,
    })
}

/// Why `/init` cannot be run, if so.
pub fn init_problem(tree: &Tree) -> Option<String> {
    let problem = match tree.resolve(b"init") {
        None if tree.get(b"init").is_some() => "/init leads nowhere",
        None => "there is no /init",
        Some(init) if !matches!(init.kind, Kind::Regular(_)) => "/init is no regular file",
        Some(init) if init.mode & 0o111 == 0 => "/init is not executable",
        Some(_) => return None,
    };
    Some(format!(
        "{problem}: the boot goes on to root=, unless rdinit= names another"
    ))
}

fn segment(bytes: &[u8], layer: &Layer) -> Result<Segment> {
    let content = match &layer.part {
        Part::Image(Filesystem::Erofs, _) => Content::Erofs(Box::new(image(bytes, layer)?)),
        Part::Image(filesystem, geometry) => {
            let image = other(bytes, layer, *filesystem, *geometry);
            match filesystem {
                Filesystem::Btrfs => Content::Btrfs(image),
                Filesystem::Squashfs => Content::Squashfs(image),
                Filesystem::Erofs | Filesystem::Ext4 => Content::Ext4(image),
            }
        }
        Part::Archives(archives) => Content::Cpio {
            archives: archives.iter().map(|one| archive(bytes, one)).collect(),
        },
        Part::Unknown => Content::Unknown,
    };
    Ok(Segment {
        offset: layer.range.start,
        size: layer.range.len(),
        content,
    })
}

fn sealed(bytes: &[u8], layer: &Layer) -> Option<Sealed> {
    let trailer = layer.trailer.clone();
    if trailer.is_empty() {
        return None;
    }
    let mut sealed = Sealed {
        offset: trailer.start,
        size: trailer.len(),
        digest: None,
        salt: String::new(),
        tree: 0,
        signature: 0,
        problem: None,
    };
    match Seal::parse(&bytes[trailer], layer.range.len()) {
        Ok(seal) => {
            sealed.digest = Some(format!("{:x}", seal.digest(hash)));
            sealed.salt = hex(seal.shape.salt());
            sealed.tree = seal.tree.len();
            sealed.signature = seal.signature.len();
        }
        Err(error) => sealed.problem = Some(SealProblem(error).to_string()),
    }
    Some(sealed)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn other(
    bytes: &[u8],
    layer: &Layer,
    filesystem: Filesystem,
    geometry: Geometry,
) -> Box<OtherImage> {
    let facts = Facts::of(filesystem, &bytes[layer.range.clone()]);
    Box::new(OtherImage {
        block_size: geometry.block_size,
        uuid: facts.uuid.map(|uuid| hex(&uuid)),
        volume_name: shown(&facts.volume_name),
        inodes: facts.inodes,
        free: facts.free,
        build_time: facts.build_time,
        compression: facts.compression,
        seal: sealed(bytes, layer),
    })
}

fn image(bytes: &[u8], layer: &Layer) -> Result<Image> {
    let superblock = Superblock::parse(&bytes[layer.range.clone()])?;
    Ok(Image {
        block_size: superblock.block_size(),
        uuid: hex(&superblock.uuid),
        volume_name: shown(&superblock.volume_name),
        inodes: superblock.inodes,
        build_time: superblock.build_time,
        features: superblock.features(),
        unknown_features: superblock.unknown_features(),
        compression: superblock.algorithms(),
        seal: sealed(bytes, layer),
    })
}

fn archive(bytes: &[u8], archive: &Archive) -> CpioArchive {
    let stored = &bytes[archive.range.clone()];
    let entries = archive.entries().filter_map(|entry| entry.ok());
    CpioArchive {
        offset: archive.range.start,
        size: archive.range.len(),
        unpacked: archive.plain.len(),
        compression: archive.method.map(|method| method.to_string()),
        entries: entries.filter(|entry| !entry.is_trailer()).count(),
        early: archive.is_early(),
        demands: archive
            .method
            .map(|method| demands(method, stored))
            .unwrap_or_default(),
    }
}
