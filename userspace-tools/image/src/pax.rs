// SPDX-License-Identifier: GPL-2.0-only

//! The records that pax puts before an entry of a tarball, those of GNU tar, star and libarchive among
//! them.

use std::io::{self, BufRead, BufReader, Read};

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::Engine;

use crate::content::{Content, Extent, Store};
use crate::tree::{Time, Xattrs};

/// Extended attributes, as star and GNU tar write them.
const XATTR: &str = "SCHILY.xattr.";

/// Extended attributes, as libarchive writes them: the name is escaped, and the value in base64.
const LIBARCHIVE_XATTR: &str = "LIBARCHIVE.xattr.";

/// The label of SELinux, as GNU tar writes it: without the NUL that the attribute ends with.
const SELINUX: &str = "RHT.security.selinux";

/// Keywords that say nothing about a file in an initrd.
const PASSED_OVER: [&str; 11] = [
    "atime",
    "charset",
    "comment",
    "ctime",
    "gname",
    "hdrcharset",
    "uname",
    "LIBARCHIVE.creationtime",
    "LIBARCHIVE.symlinktype",
    "SCHILY.fflags",
    "SCHILY.filetype",
];

/// Beginnings of such keywords: numbers of the file on the disk that it came from, and digests of chunks.
const PREFIXES_PASSED_OVER: [&str; 5] = [
    "SCHILY.dev",
    "SCHILY.ino",
    "SCHILY.nlink",
    "containers.zstd-chunked.",
    "stargz.",
];

/// The records before an entry.
#[derive(Debug, Default)]
pub struct Records {
    /// Extended attributes.
    pub xattrs: Xattrs,
    /// The time of the file's last change.
    pub mtime: Option<Time>,
    /// The file's name, if it is sparse.
    pub sparse_name: Option<Vec<u8>>,
    /// The size of the sparse file, in bytes.
    sparse_size: Option<usize>,
    /// The places of its contents, in the formats 0.0 and 0.1.
    extents: Vec<Extent>,
    /// Set if the contents are listed in front of them, in the format 1.0.
    has_map: bool,
    /// The file's name, if it is not in the header.
    pub path: Option<Vec<u8>>,
    /// The target of a link, if that is not in the header.
    pub linkpath: Option<Vec<u8>>,
    /// The owner's number, if it is not in the header.
    pub uid: Option<u32>,
    /// The group's number, if it is not in the header.
    pub gid: Option<u32>,
    /// The number of bytes that the tarball has of the file, if that is not in the header.
    pub stored: Option<usize>,
    /// The first keyword that is not known.
    pub unknown: Option<String>,
}

impl Records {
    /// Notes one record.
    ///
    /// # Errors
    ///
    /// `InvalidData` if it cannot be understood.
    pub fn note(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        // Names of attributes may have any bytes.
        if let Some(name) = key.strip_prefix(XATTR.as_bytes()) {
            self.xattrs.insert(unescaped(name), value.to_vec());
            return Ok(());
        }
        let key = std::str::from_utf8(key).map_err(|_| damaged("a keyword"))?;
        if let Some(name) = key.strip_prefix(LIBARCHIVE_XATTR) {
            let name = percent_encoding::percent_decode_str(name).collect();
            // The same attribute may have been written in the other way as well.
            self.xattrs.entry(name).or_insert(base64(value)?);
            return Ok(());
        }
        match key {
            SELINUX => {
                self.xattrs
                    .insert(b"security.selinux".to_vec(), [value, b"\0"].concat());
            }
            "mtime" => {
                let time = std::str::from_utf8(value).ok().and_then(parse_time);
                self.mtime = Some(time.ok_or_else(|| damaged("mtime"))?);
            }
            "path" => self.path = Some(value.to_vec()),
            "linkpath" => self.linkpath = Some(value.to_vec()),
            "uid" => self.uid = Some(owner(value)?),
            "gid" => self.gid = Some(owner(value)?),
            "size" => self.stored = Some(number(value)?),
            "GNU.sparse.name" => self.sparse_name = Some(value.to_vec()),
            "GNU.sparse.size" | "GNU.sparse.realsize" => self.sparse_size = Some(number(value)?),
            "GNU.sparse.offset" => {
                let offset = number(value)?;
                self.extents.push(Extent { offset, len: 0 });
            }
            "GNU.sparse.numbytes" => {
                let extent = self.extents.last_mut();
                extent.ok_or_else(|| damaged(key))?.len = number(value)?;
            }
            "GNU.sparse.map" => {
                let numbers: Vec<usize> = value
                    .split(|byte| *byte == b',')
                    .map(number)
                    .collect::<io::Result<_>>()?;
                self.extents = pairs(&numbers)?;
            }
            "GNU.sparse.major" => self.has_map = number(value)? == 1,
            "GNU.sparse.minor" | "GNU.sparse.numblocks" => {}
            key if PASSED_OVER.contains(&key) => {}
            key if PREFIXES_PASSED_OVER.iter().any(|p| key.starts_with(p)) => {}
            _ => {
                self.unknown.get_or_insert(key.to_owned());
            }
        }
        Ok(())
    }

    /// Returns the size of a file with its holes, in bytes, where the header states `stored`.
    pub fn size(&self, stored: u64) -> u64 {
        self.sparse_size.map_or(stored, |size| size as u64)
    }

    /// Returns the contents of a file, with holes, from what the tarball has of it.
    ///
    /// # Errors
    ///
    /// `InvalidData` if the parts do not make the file, and what `store` says.
    pub fn expand(&self, stored: impl Read, store: &mut Store) -> io::Result<Content> {
        let is_sparse = self.has_map || !self.extents.is_empty();
        let Some(size) = self.sparse_size.filter(|_| is_sparse) else {
            return store.take(stored);
        };
        let mut stored = BufReader::new(stored);
        let extents = if self.has_map {
            read_map(&mut stored)?
        } else {
            self.extents.clone()
        };
        let content = store.take_sparse(stored, size, &extents);
        content.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => damaged_map(),
            _ => error,
        })
    }
}

/// Reads the map in front of the contents: decimal numbers in lines, up to the end of a block.
fn read_map(stored: &mut impl BufRead) -> io::Result<Vec<Extent>> {
    const BLOCK: usize = 512;
    const LONGEST_LINE: u64 = 24;
    let mut at = 0;
    let mut next = || -> io::Result<usize> {
        let mut line = Vec::new();
        at += stored.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        number(line.strip_suffix(b"\n").ok_or_else(damaged_map)?)
    };
    let count = next()?;
    let mut numbers = Vec::new();
    for _ in 0..count.saturating_mul(2) {
        numbers.push(next()?);
    }
    let mut padding = vec![0; at.next_multiple_of(BLOCK) - at];
    stored.read_exact(&mut padding)?;
    pairs(&numbers)
}

/// Makes extents of offsets and lengths that take turns.
fn pairs(numbers: &[usize]) -> io::Result<Vec<Extent>> {
    let pairs = numbers.chunks(2).map(|pair| match *pair {
        [offset, len] => Ok(Extent { offset, len }),
        _ => Err(damaged_map()),
    });
    pairs.collect()
}

fn base64(text: &[u8]) -> io::Result<Vec<u8>> {
    // libarchive leaves the padding out.
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config)
        .decode(text)
        .map_err(io::Error::other)
}

fn number(text: &[u8]) -> io::Result<usize> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| damaged("a number"))
}

fn owner(text: &[u8]) -> io::Result<u32> {
    u32::try_from(number(text)?).map_err(io::Error::other)
}

/// Returns the name of an attribute, in which GNU tar writes `=` as `%3D`, and therefore `%` as `%25`.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        let (byte, behind) = match behind {
            [b'3', b'D', behind @ ..] if *first == b'%' => (b'=', behind),
            [b'2', b'5', behind @ ..] if *first == b'%' => (b'%', behind),
            _ => (*first, behind),
        };
        out.push(byte);
        rest = behind;
    }
    out
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what} cannot be read"))
}

fn damaged_map() -> io::Error {
    damaged("the map of a sparse file")
}

/// Reads seconds as a decimal fraction.
fn parse_time(text: &str) -> Option<Time> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let (seconds, nanoseconds): (i64, u32) = (whole.parse().ok()?, digits.parse().ok()?);
    // A negative time counts down to its fraction.
    if whole.starts_with('-') && nanoseconds > 0 {
        return Some(Time {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        });
    }
    Some(Time {
        seconds,
        nanoseconds,
    })
}
