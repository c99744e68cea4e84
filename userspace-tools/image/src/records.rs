// SPDX-License-Identifier: GPL-2.0-only

//! The records of pax in a tarball. The `tar` crate takes a line feed for the end of a record, and
//! values may have some: names, and the signatures of IMA.

use std::collections::HashMap;
use std::io;

use tar::{EntryType, Header};

/// Tarballs consist of blocks of this size, in bytes.
const BLOCK: usize = 512;

/// Keyword and value.
pub type Record = (Vec<u8>, Vec<u8>);

/// Returns the records in front of each entry that has some, by the offset of the entry's header, up to the
/// end of the tarball or to what is damaged.
pub fn of_entries(bytes: &[u8]) -> HashMap<u64, Vec<Record>> {
    let mut found = HashMap::new();
    let mut at = 0;
    let mut records = None;
    while let Some(next) = note_header(bytes, at, &mut records, &mut found) {
        at = next;
    }
    found
}

/// Notes what one header says, and returns where the next one is.
fn note_header(
    bytes: &[u8],
    at: usize,
    records: &mut Option<Vec<Record>>,
    found: &mut HashMap<u64, Vec<Record>>,
) -> Option<usize> {
    // Where GNU tar says that another block of a sparse file's map follows: in a header, and in such a block.
    const MORE_IN_HEADER: usize = 482;
    const MORE: usize = 504;
    let block = |at: usize| bytes.get(at..at.checked_add(BLOCK)?);
    let header = block(at)?;
    let mut contents = at + BLOCK;
    if header.iter().all(|byte| *byte == 0) {
        return Some(contents);
    }
    let parsed = Header::from_byte_slice(header);
    let mut size = usize::try_from(parsed.entry_size().ok()?).ok()?;
    match parsed.entry_type() {
        EntryType::XHeader => {
            let text = bytes.get(contents..contents.checked_add(size)?)?;
            *records = Some(parse(text).ok()?);
        }
        EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {}
        kind => {
            if let Some(records) = records.take() {
                let stated = records.iter().rfind(|(key, _)| key == b"size");
                if let Some((_, stated)) = stated {
                    size = std::str::from_utf8(stated).ok()?.parse().ok()?;
                }
                found.insert(at as u64, records);
            }
            let mut has_more = kind == EntryType::GNUSparse && header[MORE_IN_HEADER] != 0;
            while has_more {
                has_more = block(contents)?[MORE] != 0;
                contents += BLOCK;
            }
        }
    }
    contents.checked_add(size.checked_next_multiple_of(BLOCK)?)
}

/// Reads records: each is its own length in bytes, a space, keyword, `=`, value and a line feed.
///
/// # Errors
///
/// `InvalidData` for what is no record.
pub fn parse(mut text: &[u8]) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    // NUL bytes pad them, in some tarballs.
    while text.first().is_some_and(|byte| *byte != 0) {
        let (record, rest) = split(text).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a record of pax cannot be read")
        })?;
        records.push(record);
        text = rest;
    }
    Ok(records)
}

/// Splits the first record off.
fn split(text: &[u8]) -> Option<(Record, &[u8])> {
    let space = text.iter().position(|byte| *byte == b' ')?;
    let len: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let (record, rest) = text.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    Some(((key.to_vec(), value.to_vec()), rest))
}

/// Returns a record. Its length counts its own digits.
pub fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = [b" ", key, b"=", value, b"\n"].concat();
    let mut len = rest.len() + 1;
    while len.to_string().len() + rest.len() != len {
        len += 1;
    }
    [len.to_string().as_bytes(), &rest].concat()
}
