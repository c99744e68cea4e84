// SPDX-License-Identifier: GPL-2.0-only

//! The entries of plain cpio archives, `newc` (070701) and `crc` (070702).
//!
//! The format is `Documentation/driver-api/early-userspace/buffer-format.rst` of the kernel, and
//! `init/initramfs.c` the reader that counts.

use thiserror::Error;

const HEADER_LEN: usize = 110;
const MAGIC_LEN: usize = 6;
const ALIGNMENT: usize = 4;
/// `PATH_MAX`: the kernel passes over entries with longer names.
const LONGEST_NAME: usize = 4096;

/// The type bits of a mode.
pub const TYPE_MASK: u32 = 0o170_000;
pub(crate) const SOCKET: u32 = 0o140_000;
pub(crate) const SYMLINK: u32 = 0o120_000;
pub(crate) const REGULAR: u32 = 0o100_000;
pub(crate) const BLOCK: u32 = 0o060_000;
pub(crate) const DIRECTORY: u32 = 0o040_000;
pub(crate) const CHARACTER: u32 = 0o020_000;
pub(crate) const FIFO: u32 = 0o010_000;

/// Why an archive cannot be read on. Offsets are in bytes from the start of the plain archive.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CpioError {
    /// Neither a header nor padding.
    #[error("no cpio header at offset {0:#x}")]
    NoHeader(usize),
    /// `070707`, which the kernel does not read.
    #[error("an old binary or odc header at offset {0:#x}: make the archive with `cpio -H newc`")]
    OldFormat(usize),
    /// An entry behind an odd number of NULs.
    #[error("the entry at offset {0:#x} is at no multiple of 4")]
    BrokenPadding(usize),
    /// A field that is no hexadecimal number.
    #[error("a damaged header at offset {0:#x}")]
    Damaged(usize),
    /// The bytes end before the entry does.
    #[error("the entry at offset {0:#x} is cut off")]
    CutOff(usize),
    /// A name without its NUL.
    #[error("the name at offset {0:#x} does not end")]
    NameDoesNotEnd(usize),
    /// The checksum of a `crc` archive.
    #[error("the content of the entry at offset {0:#x} has another checksum than it states")]
    Checksum(usize),
}

/// One entry, its trailer included.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The offset of its header, in bytes from the start of the archives.
    pub offset: usize,
    /// The name as it stands there, without the NUL; [`None`] if the kernel passes over the entry.
    pub name: Option<&'a [u8]>,
    /// Type and permissions.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The number of the file's names.
    pub links: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// The identity that names of the same file share: inode number, major and minor of its device.
    pub identity: (u32, u32, u32),
    /// A device's major and minor.
    pub device: (u32, u32),
    /// The place of its content, in bytes from the start of the archives.
    pub content: std::ops::Range<usize>,
    /// The sum of its bytes, in a `crc` archive.
    pub checksum: Option<u32>,
}

impl Entry<'_> {
    /// Returns whether it ends an archive.
    pub fn is_trailer(&self) -> bool {
        self.name == Some(b"TRAILER!!!")
            && self.kind() != SYMLINK
            && is_name_read(self.kind(), self.content.len())
    }

    /// Returns the type bits of its mode.
    pub fn kind(&self) -> u32 {
        self.mode & TYPE_MASK
    }
}

/// Iterates over the entries of archives that stand behind each other, with NULs between them.
pub struct Entries<'a> {
    bytes: &'a [u8],
    position: usize,
    has_failed: bool,
}

impl<'a> Entries<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            position: 0,
            has_failed: false,
        }
    }

    /// Returns how far it has read, in bytes: after the last entry, behind that.
    pub fn position(&self) -> usize {
        self.position.min(self.bytes.len())
    }

    fn read(&mut self) -> Result<Entry<'a>, CpioError> {
        let offset = self.position;
        let rest = &self.bytes[offset..];
        match rest.get(..MAGIC_LEN) {
            Some(b"070701" | b"070702") => {}
            Some(b"070707") => return Err(CpioError::OldFormat(offset)),
            _ if rest.starts_with(&[0xc7, 0x71]) => return Err(CpioError::OldFormat(offset)),
            _ => return Err(CpioError::NoHeader(offset)),
        }
        let header = rest.get(..HEADER_LEN).ok_or(CpioError::CutOff(offset))?;
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(header[MAGIC_LEN..].chunks(8)) {
            *field = number(digits).ok_or(CpioError::Damaged(offset))?;
        }
        let [ino, mode, uid, gid, links, mtime, size, major, minor, rmajor, rminor, name_len, sum] =
            fields;

        let cut_off = CpioError::CutOff(offset);
        let length = |number: u32| usize::try_from(number).map_err(|_| cut_off);
        let name_at = offset + HEADER_LEN;
        let name_end = name_at.checked_add(length(name_len)?).ok_or(cut_off)?;
        // Counted from the entry, as the kernel does.
        let start = offset + (name_end - offset).next_multiple_of(ALIGNMENT);
        let end = start.checked_add(length(size)?).ok_or(cut_off)?;
        if end > self.bytes.len() {
            return Err(cut_off);
        }
        let name = match &self.bytes[name_at..name_end] {
            [] => None,
            name if name.len() > LONGEST_NAME => None,
            [.., last] if *last != 0 && is_name_read(mode & TYPE_MASK, end - start) => {
                return Err(CpioError::NameDoesNotEnd(name_at))
            }
            name => name.split(|byte| *byte == 0).next(),
        };
        self.position = offset + (end - offset).next_multiple_of(ALIGNMENT);
        Ok(Entry {
            offset,
            name,
            mode,
            uid,
            gid,
            links,
            mtime,
            identity: (ino, major, minor),
            device: (rmajor, rminor),
            content: start..end,
            checksum: header.starts_with(b"070702").then_some(sum),
        })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, CpioError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self
            .bytes
            .get(self.position..)
            .filter(|_| !self.has_failed)?;
        self.position += rest.iter().position(|byte| *byte != 0)?;
        let entry = if self.position % ALIGNMENT == 0 {
            self.read()
        } else {
            Err(CpioError::BrokenPadding(self.position))
        };
        self.has_failed = entry.is_err();
        Some(entry)
    }
}

/// Returns whether the kernel looks at the name of an entry of type `kind` with a content of `len` bytes.
fn is_name_read(kind: u32, len: usize) -> bool {
    match kind {
        SYMLINK => len <= LONGEST_NAME,
        REGULAR => true,
        _ => len == 0,
    }
}

/// Eight hexadecimal digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value: u32, digit| {
        Some(value << 4 | char::from(*digit).to_digit(16)?)
    })
}
