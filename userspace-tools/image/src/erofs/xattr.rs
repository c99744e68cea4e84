// SPDX-License-Identifier: GPL-2.0-only

//! Extended attributes: those of an inode alone stand behind it, shared ones in a place of their own.

use super::inode::Raw;
use super::{array, bytes_at, u16_at, u32_at, ErofsError, Superblock};
use crate::tree::Xattrs;

/// Prefixes of names, by their index.
const PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];
/// Set in an index that refers to the image's own list of prefixes.
const LONG_PREFIX: u8 = 0x80;
const HEADER: u64 = 12;
const ENTRY_HEADER: u64 = 4;

/// Returns the attributes of a file.
pub(super) fn read(image: &[u8], sb: &Superblock, raw: &Raw) -> Result<Xattrs, ErofsError> {
    let (start, len) = raw.xattrs;
    let mut xattrs = Xattrs::new();
    if len == 0 {
        return Ok(xattrs);
    }
    let damaged = ErofsError::Damaged("the attributes", start);
    let [shared] = array(image, start + 4)?;
    let shared = u64::from(shared);
    for index in 0..shared {
        let id = u32_at(image, start + HEADER + index * 4)?;
        let at = sb.xattr_offset(id).ok_or(ErofsError::Beyond(u64::MAX))?;
        append(image, at, &mut xattrs)?;
    }
    let mut at = start + HEADER + shared * 4;
    let end = start + len;
    while at < end {
        at += append(image, at, &mut xattrs)?;
    }
    if at == end {
        Ok(xattrs)
    } else {
        Err(damaged)
    }
}

/// Reads one attribute; returns how much room it takes.
fn append(image: &[u8], at: u64, xattrs: &mut Xattrs) -> Result<u64, ErofsError> {
    let [name_len, index] = array(image, at)?;
    let value_len = u64::from(u16_at(image, at + 2)?);
    let name_len = u64::from(name_len);
    let name = bytes_at(image, at + ENTRY_HEADER, name_len)?;
    let value = bytes_at(image, at + ENTRY_HEADER + name_len, value_len)?;
    if index & LONG_PREFIX != 0 {
        return Err(ErofsError::Unsupported(
            "an attribute with a long prefix",
            at,
        ));
    }
    let prefix = PREFIXES.iter().find(|(known, _)| *known == index);
    let (_, prefix) = prefix.ok_or(ErofsError::Damaged("the attribute", at))?;
    xattrs.insert([prefix, name].concat(), value.to_vec());
    Ok((ENTRY_HEADER + name_len + value_len).next_multiple_of(4))
}
