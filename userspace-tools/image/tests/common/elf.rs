// SPDX-License-Identifier: GPL-2.0-only

//! ELF files for tests, byte by byte: 64 bits, little-endian, x86-64.

/// The requests to the dynamic linker.
#[derive(Clone, Copy, Default)]
pub struct Elf<'a> {
    pub interpreter: Option<&'a str>,
    pub needed: &'a [&'a str],
    /// `DT_RPATH`.
    pub rpath: Option<&'a str>,
    /// `DT_RUNPATH`.
    pub runpath: Option<&'a str>,
    /// `EM_X86_64` if it is 0.
    pub machine: u16,
}

/// Bytes of the file's header, and of each program header.
const HEADER: usize = 64;
const SEGMENT: usize = 56;

/// The distance between addresses and offsets.
const BASE: usize = 0x40_0000;

impl Elf<'_> {
    /// Returns the file: headers, strings, the dynamic section, then `rest`.
    pub fn bytes(&self, rest: &[u8]) -> Vec<u8> {
        let start = HEADER + 3 * SEGMENT;
        let mut strings = vec![0];
        let mut string = |text: &str| {
            let at = strings.len();
            strings.extend(text.bytes().chain([0]));
            at
        };
        let interpreter = self.interpreter.map(|path| (string(path), path.len() + 1));
        let mut entries = Vec::new();
        entries.extend(self.needed.iter().map(|name| (1, string(name))));
        entries.extend(self.rpath.map(|list| (15, string(list))));
        entries.extend(self.runpath.map(|list| (29, string(list))));
        entries.extend([(5, BASE + start), (0, 0)]);
        strings.resize(strings.len().next_multiple_of(8), 0);
        let dynamic = start + strings.len();
        let size = dynamic + entries.len() * 16 + rest.len();

        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        let machine = if self.machine == 0 { 62 } else { self.machine };
        for half in [3, machine] {
            file.extend(half.to_le_bytes());
        }
        file.extend(1_u32.to_le_bytes());
        for word in [0, HEADER, 0] {
            file.extend((word as u64).to_le_bytes());
        }
        file.extend(0_u32.to_le_bytes());
        for half in [HEADER as u16, SEGMENT as u16, 3, 0, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        let (at, length) = interpreter.unwrap_or((0, 0));
        let interpreter_type = if length > 0 { 3 } else { 0 };
        for (kind, offset, length) in [
            (interpreter_type, start + at, length),
            (1, 0, size),
            (2, dynamic, entries.len() * 16),
        ] {
            file.extend([kind, 4_u32].map(u32::to_le_bytes).concat());
            for word in [offset, BASE + offset, BASE + offset, length, length, 8] {
                file.extend((word as u64).to_le_bytes());
            }
        }
        file.extend(strings);
        for (tag, value) in entries {
            file.extend([tag, value as u64].map(u64::to_le_bytes).concat());
        }
        file.extend(rest);
        file
    }
}
