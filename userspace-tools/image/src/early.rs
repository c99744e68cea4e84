// SPDX-License-Identifier: GPL-2.0-only

//! Files that the kernel reads out of the initrd long before it unpacks anything: microcode and ACPI
//! tables. It looks for them in the plain archives at the very start (`find_cpio_data()` in
//! `lib/earlycpio.c`), whatever else is in these.

use crate::cpio::{self, Entry};
use crate::initrd::Archive;

/// Beginnings of the names that the kernel looks for.
const PLACES: [&[u8]; 2] = [b"kernel/x86/microcode/", b"kernel/firmware/acpi/"];

/// Processors want microcode at a multiple of this, where the loader has put it.
const ALIGNMENT: usize = 16;

/// Bytes that archives are aligned to by those who make them.
const BLOCK: usize = 512;

/// The early files of a plain archive that holds other files as well.
#[derive(Debug)]
pub struct Early {
    /// An archive of these files, to be put at a multiple of [`BLOCK`].
    pub archive: Vec<u8>,
    /// Their names.
    pub names: Vec<Vec<u8>>,
}

/// Returns the early files of archives, as far as the kernel would find them. [`None`] if there are none.
pub fn split<'a>(archives: impl IntoIterator<Item = &'a Archive>) -> Option<Early> {
    let mut early = Early {
        archive: Vec::new(),
        names: Vec::new(),
    };
    for archive in archives {
        if archive.method.is_some() {
            break;
        }
        for entry in archive.entries().flatten() {
            early.take(archive, &entry);
        }
    }
    if early.names.is_empty() {
        return None;
    }
    early.archive.extend(header(b"TRAILER!!!", 0));
    let len = early.archive.len().next_multiple_of(BLOCK);
    early.archive.resize(len, 0);
    Some(early)
}

impl Early {
    /// Copies an entry that belongs to them: a file, or a directory that leads to one.
    fn take(&mut self, archive: &Archive, entry: &Entry<'_>) {
        let name = entry.name.unwrap_or_default();
        let leads_there =
            |place: &[u8]| place.starts_with(name) && place[name.len()..].starts_with(b"/");
        let is_directory = entry.kind() == cpio::DIRECTORY && PLACES.iter().any(|p| leads_there(p));
        let is_file =
            entry.kind() == cpio::REGULAR && PLACES.iter().any(|place| name.starts_with(place));
        if !is_directory && !is_file {
            return;
        }
        let end = entry
            .content
            .end
            .next_multiple_of(4)
            .min(archive.plain.len());
        if is_file {
            // The file is as well aligned as it was.
            let start = archive.range.start + entry.offset;
            self.fill((start + ALIGNMENT - self.archive.len() % ALIGNMENT) % ALIGNMENT);
            self.names.push(name.to_vec());
        }
        self.archive
            .extend(&archive.plain.bytes()[entry.offset..end]);
        self.archive
            .resize(self.archive.len().next_multiple_of(4), 0);
    }

    /// Moves the next entry on by so many bytes, a multiple of 4, or by [`ALIGNMENT`] more.
    fn fill(&mut self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        // Slashes at the end of a directory's name mean nothing.
        let names = (0..ALIGNMENT).map(|slashes| [&b"kernel"[..], &b"/".repeat(slashes)].concat());
        let entry = names
            .map(|name| header(&name, cpio::DIRECTORY | 0o755))
            .find(|entry| entry.len() % ALIGNMENT == bytes);
        self.archive.extend(entry.unwrap_or_default());
    }
}

/// Makes an entry without content.
fn header(name: &[u8], mode: u32) -> Vec<u8> {
    let len = name.len() + 1;
    let mut entry = format!(
        "070701{:08x}{mode:08x}{:040x}{:032x}{len:08x}{:08x}",
        0, 0, 0, 0
    )
    .into_bytes();
    entry.extend(name);
    entry.push(0);
    entry.resize(entry.len().next_multiple_of(4), 0);
    entry
}
