// SPDX-License-Identifier: GPL-2.0-only

//! Requests of an ELF file to the dynamic linker.
//!
//! Only what the program headers lead to is read, as the kernel and the linker do: section headers
//! may be missing. No bytes lead to more work than is proportional to their number.

use object::elf::{
    FileHeader32, FileHeader64, Machine, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB, PT_LOAD,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::Endianness;

/// Bytes of program headers that the kernel takes at most.
const MOST_HEADERS: usize = 65_536;

/// The most libraries that a file may need; `ld.so` has no limit.
const MOST_NEEDED: usize = 1_024;

/// Bytes that a path may have (`PATH_MAX`).
const LONGEST_PATH: usize = 4_096;

/// Bytes that a list of directories may have here; `ld.so` has no limit.
const LONGEST_LIST: usize = 65_536;

/// The properties that files must share to be used together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abi {
    is_64_bit: bool,
    is_big_endian: bool,
    machine: Machine,
}

impl Abi {
    /// That of an ELF file; [`None`] if it is something else.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        abi::<FileHeader64<Endianness>>(bytes).or_else(|| abi::<FileHeader32<Endianness>>(bytes))
    }
}

fn abi<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<Abi> {
    let header = Elf::parse(bytes).ok()?;
    Some(Abi {
        is_64_bit: header.is_class_64(),
        is_big_endian: header.is_big_endian(),
        machine: header.e_machine(header.endian().ok()?),
    })
}

/// The requests of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Requests {
    /// The dynamic linker (`PT_INTERP`).
    pub(crate) interpreter: Option<Vec<u8>>,
    /// Libraries (`DT_NEEDED`), in their order.
    pub(crate) needed: Vec<Vec<u8>>,
    /// The directories of libraries of this file and of those that it needs (`DT_RPATH`), separated
    /// by colons. Empty if there is a `run_path`, which `ld.so` prefers.
    pub(crate) inherited_path: Vec<u8>,
    /// The directories of libraries of this file (`DT_RUNPATH`), separated by colons.
    pub(crate) run_path: Vec<u8>,
}

impl Requests {
    /// Returns the requests of a file, as far as they can be read: none of a file that is no ELF file.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        requests::<FileHeader64<Endianness>>(bytes)
            .or_else(|| requests::<FileHeader32<Endianness>>(bytes))
            .unwrap_or_default()
    }
}

fn requests<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<Requests> {
    let header = Elf::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, bytes).ok()?;
    if size_of_val(segments) > MOST_HEADERS {
        return None;
    }
    // Of either kind, the first that there is counts, even if it is broken.
    let interpreter = segments.iter().find_map(|segment| {
        let path = segment.interpreter(endian, bytes);
        path.map_or(Some(None), |path| path.map(Some))
    });
    let mut requests = Requests {
        interpreter: interpreter
            .flatten()
            .filter(|path| path.len() < LONGEST_PATH)
            .map(<[u8]>::to_vec),
        ..Requests::default()
    };
    let entries = segments.iter().find_map(|segment| {
        let entries = segment.dynamic(endian, bytes);
        entries.map_or(Some(None), |entries| entries.map(Some))
    });
    let entries = entries.flatten().unwrap_or_default();
    let entries = entries
        .iter()
        .map(|entry| (entry.tag(endian), entry.val(endian)))
        .take_while(|(tag, _)| tag.0 != 0);

    let last = |wanted| {
        let values = entries.clone().filter(|(tag, _)| *tag == wanted);
        values.last().map(|(_, value)| value)
    };
    let strings = last(DT_STRTAB).and_then(|at| from_address::<Elf>(segments, endian, bytes, at));
    let Some(strings) = strings else {
        return Some(requests);
    };
    let string = |offset: u64, longest: usize| {
        let string = strings.get(usize::try_from(offset).ok()?..)?;
        let string = &string[..string.len().min(longest)];
        Some(string[..memchr::memchr(0, string)?].to_vec())
    };
    let list = |offset| string(offset, LONGEST_LIST);
    let needed = entries.clone().filter(|(tag, _)| *tag == DT_NEEDED);
    requests.needed = needed
        .take(MOST_NEEDED)
        .filter_map(|(_, offset)| string(offset, LONGEST_PATH))
        .collect();
    requests.run_path = last(DT_RUNPATH).and_then(list).unwrap_or_default();
    if requests.run_path.is_empty() {
        requests.inherited_path = last(DT_RPATH).and_then(list).unwrap_or_default();
    }
    Some(requests)
}

/// Returns the bytes that are loaded to an address, to the end of its segment.
fn from_address<'data, Elf: FileHeader<Endian = Endianness>>(
    segments: &[Elf::ProgramHeader],
    endian: Endianness,
    bytes: &'data [u8],
    address: u64,
) -> Option<&'data [u8]> {
    let loaded = segments
        .iter()
        .filter(|segment| segment.p_type(endian) == PT_LOAD);
    loaded
        .filter_map(|segment| {
            let offset = address.checked_sub(segment.p_vaddr(endian).into())?;
            let data = segment.data(endian, bytes).ok()?;
            data.get(usize::try_from(offset).ok()?..)
        })
        .find(|data| !data.is_empty())
}
