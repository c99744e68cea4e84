// SPDX-License-Identifier: GPL-2.0-only

//! The content of an initrd: its segments as the kernel divides them, and the archives in them as the
//! kernel's unpacker would find them (`unpack_to_rootfs()` in `init/initramfs.c`).

use std::io::{self, Write};
use std::ops::Range;

use initoverlayfs_core::initrd::filesystem::{Filesystem, Filesystems, Geometry, SuperblockError};
use initoverlayfs_core::initrd::seal::SealError;
use initoverlayfs_core::initrd::{find, Damage, Kind, Scanner, Segment};
use initoverlayfs_core::CHECKSUMS;
use thiserror::Error;

use crate::compression::{DecompressError, Method};
use crate::content::{Content, Sink};
use crate::cpio::{CpioError, Entries, Entry};
use crate::erofs::{self, ErofsError};
use crate::other_images::{self, ReadError};
use crate::stack;
use crate::tree::Tree;
use crate::unpack::Unpacker;

/// Plain archives stand at multiples of this, from the start of their run.
const ALIGNMENT: usize = 4;

/// Why an initrd cannot be read. Offsets are in bytes from its start.
#[derive(Debug, Error)]
pub enum InitrdError {
    /// An image whose superblock is wrong.
    #[error("the {name} image at offset {0:#x} {2}", name = .1.name())]
    Image(usize, Filesystem, SuperblockError),
    /// An image whose trailer is damaged.
    #[error("the trailer of the image at offset {0:#x} {1}")]
    Seal(usize, SealError),
    /// An image of another filesystem than EROFS whose inside cannot be read.
    #[error("in the {name} image at offset {0:#x}: {2}", name = .1.name())]
    Other(usize, Filesystem, ReadError),
    /// A squashfs image where the kernel does not look for one.
    #[error(
        "the kernel does not find the squashfs image at offset {0:#x}, behind a compressed archive: put 1024 NUL bytes in front of it"
    )]
    Hidden(usize),
    /// An EROFS image whose inside cannot be read.
    #[error("in the EROFS image at offset {0:#x}: {1}")]
    Erofs(usize, ErofsError),
    /// A plain archive that ends too early, as the kernel's scan finds it.
    #[error("the cpio archive at offset {0:#x} breaks off at offset {1:#x}")]
    BreaksOff(usize, usize),
    /// Compressed data.
    #[error("offset {0:#x}: {1}")]
    Compressed(usize, DecompressError),
    /// There is no room for what an archive holds.
    #[error("the archive at offset {0:#x} cannot be put into a temporary file: {1}")]
    Temporary(usize, io::Error),
    /// An archive; offsets within it count from its start, decompressed.
    #[error("in the archive at offset {0:#x}: {1}")]
    Archive(usize, CpioError),
    /// An archive where the kernel does not look for one.
    #[error(
        "the kernel does not find the archive at offset {0:#x}, which is no multiple of {ALIGNMENT}: put NUL bytes in front of it"
    )]
    Misaligned(usize),
    /// Neither padding nor an archive.
    #[error("the bytes at offset {0:#x} are no archive in a format that the kernel reads")]
    Junk(usize),
}

impl InitrdError {
    /// Returns what to do; nothing where the message says it, or only the cause's can.
    pub fn cure(&self) -> Option<&'static str> {
        match self {
            Self::Image(..) => Some("copy the file again, or make the image anew"),
            Self::Seal(..) => Some("seal the image again"),
            Self::BreaksOff(..) | Self::Compressed(..) | Self::Archive(..) => {
                Some("copy the file again, or make the archive anew")
            }
            Self::Junk(_) => Some("remove them"),
            _ => None,
        }
    }

    /// Returns whether the kernel's scan does not notice, but only its unpacker, beside an image that is mounted.
    pub fn is_told_by_the_unpacker(&self) -> bool {
        matches!(
            self,
            Self::Compressed(..)
                | Self::Archive(..)
                | Self::Junk(_)
                | Self::Misaligned(_)
                | Self::Hidden(_)
        )
    }
}

/// One archive: up to its trailer, or what was compressed together.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The place, in bytes from the start of the initrd.
    pub range: Range<usize>,
    /// The compression.
    pub method: Option<Method>,
    /// The bytes, decompressed.
    pub plain: Content,
}

/// The content of a segment.
#[derive(Clone, Debug)]
pub enum Part {
    /// An image.
    Image(Filesystem, Geometry),
    /// Archives.
    Archives(Vec<Archive>),
    /// Neither.
    Unknown,
}

/// A segment, which becomes a layer.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The place, in bytes from the start of the initrd.
    pub range: Range<usize>,
    /// The place of the trailer that seals it; empty if there is none.
    pub trailer: Range<usize>,
    /// The content.
    pub part: Part,
}

/// Returns the segments of an initrd, as the kernel divides it.
///
/// # Errors
///
/// [`InitrdError`], if one of them is damaged.
pub fn segments(bytes: &[u8]) -> Result<Vec<Segment>, InitrdError> {
    let segments = Scanner::new(bytes, &CHECKSUMS, Filesystems::ALL).map(|segment| {
        segment.map_err(|error| match error.cause {
            Damage::Image(filesystem, cause) => InitrdError::Image(error.offset, filesystem, cause),
            Damage::Seal(cause) => InitrdError::Seal(error.offset, cause),
            Damage::Cpio { at } => InitrdError::BreaksOff(error.offset, at),
        })
    });
    segments.collect()
}

/// Returns whether the kernel finds an image, whole or damaged. Without one it leaves the initrd to the stock
/// unpacker, however broken that is (`scan()` in `rust/scan.rs`).
pub fn has_image(bytes: &[u8]) -> bool {
    let mut segments = Scanner::new(bytes, &CHECKSUMS, Filesystems::ALL);
    segments.any(|segment| match segment {
        Ok(segment) => segment.kind.is_image(),
        Err(error) => match error.cause {
            Damage::Cpio { at } => find(&bytes[at..], &CHECKSUMS, Filesystems::ALL).is_some(),
            Damage::Image(..) | Damage::Seal(_) => true,
        },
    })
}

/// Reads an initrd.
///
/// # Errors
///
/// [`InitrdError`], with the offset of what is wrong.
pub fn read(bytes: &[u8]) -> Result<Vec<Layer>, InitrdError> {
    let mut layers = Vec::new();
    for segment in segments(bytes)? {
        let Segment {
            kind,
            range,
            trailer,
        } = segment;
        let part = match kind {
            Kind::Image(filesystem, geometry) => Part::Image(filesystem, geometry),
            Kind::Cpio => Part::Archives(archives(bytes, range.clone())?),
            Kind::Unknown => Part::Unknown,
        };
        layers.push(Layer {
            range,
            trailer,
            part,
        });
    }
    Ok(layers)
}

/// Reads the archives of an initrd without images, as the stock unpacker does: where it finds something that is
/// no archive, it stops, and keeps what it has unpacked. Returns the error for that, if so.
///
/// # Errors
///
/// [`InitrdError`] for an archive that is damaged or breaks off, and [`InitrdError::Junk`] if there is no
/// archive at all.
pub fn read_stock(bytes: &[u8]) -> Result<(Vec<Archive>, Option<InitrdError>), InitrdError> {
    let mut found = Vec::new();
    match find_archives(bytes, 0..bytes.len(), &mut found) {
        Ok(()) => Ok((found, None)),
        Err(error @ (InitrdError::Junk(_) | InitrdError::Misaligned(_))) if !found.is_empty() => {
            Ok((found, Some(error)))
        }
        Err(error) => Err(error),
    }
}

/// Returns the archives in a run, which starts and ends where the segment does.
fn archives(bytes: &[u8], run: Range<usize>) -> Result<Vec<Archive>, InitrdError> {
    let mut found = Vec::new();
    find_archives(bytes, run, &mut found)?;
    Ok(found)
}

/// Adds the archives in a run to `found`, up to one that is at fault.
fn find_archives(
    bytes: &[u8],
    run: Range<usize>,
    found: &mut Vec<Archive>,
) -> Result<(), InitrdError> {
    let mut at = run.start;
    let bytes = &bytes[..run.end];
    while let Some(padding) = bytes[at..].iter().position(|byte| *byte != 0) {
        at += padding;
        let rest = &bytes[at..];
        let is_aligned = (at - run.start) % ALIGNMENT == 0;
        let keep = |cause| InitrdError::Temporary(at, cause);
        let mut plain = Sink::default();
        let (len, method) = if rest[0] == b'0' && is_aligned {
            let len = plain_len(rest).map_err(|cause| InitrdError::Archive(at, cause))?;
            plain.write_all(&rest[..len]).map_err(keep)?;
            (len, None)
        } else {
            // Behind a plain archive, the kernel expects the next at a multiple of 4, whatever it is.
            if !is_aligned && found.last().is_some_and(|last| last.method.is_none()) {
                return Err(InitrdError::Misaligned(at));
            }
            let method = Method::of(rest).ok_or_else(|| nothing_known(rest, at))?;
            let len = method.decompress_to(rest, &mut plain);
            let len = len.map_err(|cause| InitrdError::Compressed(at, cause))?;
            (len, Some(method))
        };
        let plain = plain.finish().map_err(keep)?;
        // Nor are there NULs in front of the first one.
        if found.is_empty() && !plain.bytes().starts_with(b"0") {
            return Err(InitrdError::Archive(at, CpioError::NoHeader(0)));
        }
        found.push(Archive {
            range: at..at + len,
            method,
            plain,
        });
        at += len;
    }
    Ok(())
}

/// Returns what is wrong with what stands where an archive could.
fn nothing_known(rest: &[u8], at: usize) -> InitrdError {
    match initoverlayfs_core::initrd::parse(Filesystem::Squashfs, rest, &CHECKSUMS) {
        Ok(_) => InitrdError::Hidden(at),
        Err(_) if rest.starts_with(b"07070") => InitrdError::Misaligned(at),
        Err(_) => InitrdError::Junk(at),
    }
}

/// Returns how long the plain archive is that starts here: up to its trailer, or to what is no entry.
fn plain_len(bytes: &[u8]) -> Result<usize, CpioError> {
    let mut entries = Entries::new(bytes);
    let mut end = 0;
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if entry.is_trailer() => return Ok(entries.position()),
            Ok(_) => end = entries.position(),
            Err(CpioError::NoHeader(_) | CpioError::BrokenPadding(_)) if end > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(end)
}

impl Archive {
    /// Returns its entries.
    pub fn entries(&self) -> Entries<'_> {
        Entries::new(self.plain.bytes())
    }

    /// Returns whether it is one that only the early boot reads: microcode, ACPI tables. The kernel looks
    /// for those in the plain archive at the very start (`lib/earlycpio.c`).
    pub fn is_early(&self) -> bool {
        const PLACES: [&[u8]; 3] = [
            b"kernel/x86/microcode",
            b"kernel/firmware/acpi",
            b"early_cpio",
        ];
        let is_early = |entry: &Entry<'_>| {
            let name = entry.name.unwrap_or_default();
            let name = name.strip_prefix(b"./").unwrap_or(name);
            let is_on_the_way = |place: &[u8]| {
                place.starts_with(name) && matches!(place.get(name.len()), None | Some(b'/'))
            };
            let is_below = |place: &[u8]| {
                name.starts_with(place) && matches!(name.get(place.len()), None | Some(b'/'))
            };
            entry.is_trailer()
                || name == b"."
                || PLACES
                    .iter()
                    .any(|place| is_on_the_way(place) || is_below(place))
        };
        self.method.is_none()
            && self
                .entries()
                .all(|entry| entry.as_ref().is_ok_and(is_early))
    }
}

/// Merges layers into one tree, the uppermost last, without the kernel's built-in initramfs.
///
/// # Errors
///
/// [`InitrdError::Archive`], and [`InitrdError::Erofs`] or [`InitrdError::Other`] for an image that cannot be read.
pub fn merge_layers<'a>(
    bytes: &[u8],
    layers: impl IntoIterator<Item = &'a Layer>,
) -> Result<Tree, InitrdError> {
    let mut tree = Tree::new();
    for layer in layers {
        let start = layer.range.start;
        match &layer.part {
            Part::Image(Filesystem::Erofs, _) => {
                let image = erofs::read(&bytes[layer.range.clone()]);
                let image = image.map_err(|cause| InitrdError::Erofs(start, cause))?;
                stack::cover(&mut tree, &image);
            }
            Part::Image(filesystem, _) => {
                let image = other_images::read(*filesystem, &bytes[layer.range.clone()]);
                let image = image.map_err(|cause| InitrdError::Other(start, *filesystem, cause))?;
                stack::cover(&mut tree, &image);
            }
            Part::Archives(archives) => {
                let mut unpacker = Unpacker::onto(std::mem::take(&mut tree));
                unpack(&mut unpacker, archives)?;
                tree = unpacker.finish().0;
            }
            Part::Unknown => {}
        }
    }
    Ok(tree)
}

/// Unpacks archives, naming the one that is at fault.
fn unpack<'a>(
    unpacker: &mut Unpacker,
    archives: impl IntoIterator<Item = &'a Archive>,
) -> Result<(), InitrdError> {
    for archive in archives {
        unpacker
            .unpack(&archive.plain)
            .map_err(|cause| InitrdError::Archive(archive.range.start, cause))?;
    }
    Ok(())
}

/// Merges archives into one tree, as the kernel would; also says which names it would pass over.
///
/// # Errors
///
/// [`InitrdError::Archive`] where the kernel's unpacker would stop.
pub fn merge<'a>(
    archives: impl IntoIterator<Item = &'a Archive>,
) -> Result<(Tree, Vec<Vec<u8>>), InitrdError> {
    let mut unpacker = Unpacker::new();
    unpack(&mut unpacker, archives)?;
    Ok(unpacker.finish())
}
