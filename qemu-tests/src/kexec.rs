// SPDX-License-Identifier: GPL-2.0-only
//! Kernels that are started by other kernels: with kexec, or after a panic.
//!
//! The next kernel is the one under test, too. It is on a disk of its own, with its initrd, its command line and
//! the program `kexec`. After a panic it copies the memory of the first one to another disk, which the host reads.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};
use object::elf::{FileHeader64, ProgramHeader64, ET_CORE, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use object::read::ReadCache;
use object::Endianness;
use probe::marker;
use tempfile::TempDir;

use crate::console::Console;
use crate::machine::Machine;
use crate::report::Report;
use crate::target::target;
use crate::tools;

/// The disks for the next kernel and for the dump, which are there as long as this is.
pub struct Disks {
    place: TempDir,
}

/// The memory of a kernel that panicked, as the dump has it.
#[derive(Debug)]
pub struct Dump {
    /// The bytes of memory.
    pub memory: u64,
    /// How often the marker of the probe is there.
    pub markers: usize,
}

impl Disks {
    /// Makes the disk with the kernel under test, this initrd, and the command line of this machine.
    pub fn new(initrd: &[u8], next: &Machine) -> Result<Self> {
        let place = TempDir::with_prefix("qemu-test-")?;
        let files = place.path().join("files");
        fs::create_dir(&files)?;
        fs::copy(tools::kernel()?, files.join("kernel")).context("the kernel")?;
        fs::copy(tools::kexec()?, files.join("kexec")).context("kexec")?;
        fs::write(files.join("initrd"), initrd)?;
        fs::write(files.join("command-line"), next.command_line())?;
        let mut command = Command::new(tools::mkfs_erofs());
        tools::run(command.arg("--quiet").arg(place.path().join("kexec")).arg(&files))?;
        fs::remove_dir_all(&files)?;
        Ok(Self { place })
    }

    /// Adds the disk with the kernel to a machine, behind its own disk.
    pub fn with_kernel(&self, machine: Machine) -> Machine {
        self.add(machine.arguments(target().kexec), "kexec", "0x10", ",readonly=on")
    }

    /// Adds an empty disk of this size for the dump as well.
    pub fn with_dump(&self, machine: Machine, mib: u64) -> Result<Machine> {
        File::create(self.dump_path())?.set_len(mib << 20)?;
        Ok(self.add(self.with_kernel(machine), "dump", "0x11", ""))
    }

    /// The guest finds a disk by its serial number. The address puts it behind disks without one.
    fn add(&self, machine: Machine, name: &str, address: &str, option: &str) -> Machine {
        let path = self.place.path().join(name);
        let drive = format!("if=none,id={name},format=raw,file={}{option}", path.display());
        let device = format!("virtio-blk-pci,drive={name},serial={name},addr={address}");
        machine.arguments(&["-drive", &drive, "-device", &device])
    }

    fn dump_path(&self) -> PathBuf {
        self.place.path().join("dump")
    }

    /// Reads the dump that a guest has saved.
    pub fn dump(&self) -> Result<Dump> {
        dump(&self.dump_path())
    }
}

/// Boots a machine whose kernel is ordered to panic. Returns what both inits sent, and the console from the second
/// kernel's start on, which shows no trouble.
pub fn run_through_panic(machine: Machine) -> Result<(Report, Console)> {
    let (report, console) = machine.run_to_any_end()?;
    let parts: Vec<&str> = console.text().split("Linux version ").collect();
    let [_, first, second] = &parts[..] else {
        anyhow::bail!("{console}\nnot two kernels were started, but {}", parts.len() - 1);
    };
    ensure!(
        first.contains("Kernel panic - not syncing: sysrq triggered crash"),
        "{console}\nno panic"
    );
    let second = Console::new(second.as_bytes());
    let faults = second.faults();
    ensure!(faults.is_empty(), "{second}\nthe second kernel shows {faults:#?}");
    let report = report.with_context(|| format!("{second}\nno complete report"))?;
    Ok((report, second))
}

/// Reads a dump: its ELF headers, and the memory that they name.
fn dump(path: &Path) -> Result<Dump> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let data = &ReadCache::new(&file);
    let header: &FileHeader64<Endianness> = FileHeader64::parse(data)?;
    let endian = header.endian()?;
    ensure!(header.e_type(endian) == ET_CORE, "no core file");
    let headers = header.program_headers(endian, data)?;
    let parts: Vec<_> = headers.iter().filter(|part| part.p_type(endian) == PT_LOAD).collect();
    let place = |part: &ProgramHeader64<Endianness>| {
        let start = part.p_paddr(endian);
        start..start + part.p_memsz(endian)
    };
    let mut found = Dump { memory: 0, markers: 0 };
    for (number, part) in parts.iter().enumerate() {
        // The kernel's own mapping has a header, whose memory is in another one, too.
        let range = place(part);
        let is_within = parts.iter().enumerate().any(|(other, whole)| {
            let whole = place(whole);
            let is_larger = (whole.end - whole.start, number) > (range.end - range.start, other);
            is_larger && whole.start <= range.start && range.end <= whole.end
        });
        if is_within {
            continue;
        }
        let (start, length) = part.file_range(endian);
        ensure!(start + length <= size, "memory at {start:#x} is not in the file");
        found.memory += length;
        found.markers += markers(&file, start, length)?;
    }
    Ok(found)
}

/// Counts markers in a part of a file.
fn markers(mut file: &File, start: u64, length: u64) -> Result<usize> {
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file.take(length));
    let marker = marker::bytes();
    let (mut chunk, mut count) = (vec![0; 1 << 20], 0);
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            return Ok(count);
        }
        let whole = chunk.get(..read).unwrap_or_default().chunks_exact(marker.len());
        count += whole.filter(|bytes| *bytes == marker).count();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The size of a header, and of a program header.
    const HEADER: usize = 64;
    const PROGRAM_HEADER: usize = 56;

    /// Returns a dump with this memory, and its first page again as the kernel's own mapping.
    fn core(memory: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + 2 * PROGRAM_HEADER];
        let start = bytes.len() as u64;
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"\x7fELF\x02\x01\x01");
        put(16, &ET_CORE.0.to_le_bytes());
        put(32, &(HEADER as u64).to_le_bytes());
        put(54, &(PROGRAM_HEADER as u16).to_le_bytes());
        put(56, &2u16.to_le_bytes());
        for (number, length) in [memory.len(), memory.len().min(4096)].into_iter().enumerate() {
            let header = HEADER + number * PROGRAM_HEADER;
            put(header, &PT_LOAD.0.to_le_bytes());
            put(header + 8, &start.to_le_bytes());
            put(header + 32, &(length as u64).to_le_bytes());
            put(header + 40, &(length as u64).to_le_bytes());
        }
        [&bytes, memory].concat()
    }

    fn read(bytes: &[u8]) -> Result<Dump> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(bytes)?;
        dump(file.path())
    }

    #[test]
    fn markers_of_a_dump_are_counted() -> Result<()> {
        let memory = [marker::bytes().repeat(7), vec![0; 4096], vec![1; 16]].concat();
        let found = read(&core(&memory))?;
        assert_eq!((found.memory, found.markers), (memory.len() as u64, 7));
        assert_eq!(read(&core(&[0; 4096]))?.markers, 0);
        Ok(())
    }

    #[test]
    fn dumps_that_are_no_dumps_are_refused() {
        let good = core(&[0; 4096]);
        assert!(read(&good[..good.len() - 1]).is_err(), "cut");
        assert!(read(&good[..100]).is_err(), "cut in its headers");
        assert!(read(&[0; 4096]).is_err(), "an empty disk");
    }
}
