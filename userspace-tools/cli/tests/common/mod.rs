// SPDX-License-Identifier: GPL-2.0-only

//! The command under test, and archives for it, byte by byte.

#![allow(dead_code, reason = "each test crate uses its part")]

pub mod debugfs;
pub mod examples;
pub mod hooks;
pub mod second_opinions;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::{env, fs};

use tempfile::TempDir;

/// Returns the project's build directory.
fn build_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build")
}

/// Returns a tool that the setup script has found.
fn tool(name: &str) -> Option<String> {
    let text = fs::read_to_string(build_dir().join("tools.env")).ok()?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

/// Returns a program that makes or reads images, by the variable that names it.
pub fn erofs_tool(name: &str) -> String {
    let found = env::var(name).ok().or_else(|| tool(name));
    found.unwrap_or_else(|| name.to_lowercase().replace('_', "."))
}

/// Returns the kernel's source that `make setup` has found.
pub fn kernel_source() -> PathBuf {
    let found = env::var("KDIR").ok().filter(|name| !name.is_empty());
    let found = found
        .or_else(|| tool("KDIR"))
        .expect("KDIR, or build/tools.env: run `make setup`");
    found.into()
}

/// Sends a signal, by its name. The shell has a `kill` of its own; the program is in a package that a small
/// system lacks.
pub fn send(signal: &str, process: u32) {
    let line = format!("kill -{signal} {process}");
    let status = Command::new("sh").args(["-c", &line]).status();
    assert!(status.expect("a shell").success(), "{line}");
}

/// Bytes that nothing makes smaller, always the same.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| next()).collect()
}

/// Returns what `dump.erofs` says about a file of an image.
pub fn dump(image: &Path, path: &str) -> String {
    let output = Command::new(erofs_tool("DUMP_EROFS"))
        .arg(format!("--path=/{path}"))
        .arg("-e")
        .arg(image)
        .output()
        .expect("dump.erofs");
    assert!(output.status.success(), "{path}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Returns what gets smaller when it is compressed; different for each file.
pub fn text(name: &str) -> Vec<u8> {
    let lines = (0..2_000).map(|line| format!("{name} {line}\n"));
    lines.collect::<String>().into_bytes()
}

/// Returns whether a file of an image is, by the layout that `dump.erofs` shows: 0 plain, 1 and 3 compressed, 2 inline.
pub fn is_compressed(place: &Place, image: &str, path: &str) -> bool {
    let shown = dump(&place.path(image), path);
    let (_, layout) = shown.split_once("Layout: ").expect("a layout");
    match layout.as_bytes()[0] {
        b'0' | b'2' => false,
        b'1' | b'3' => true,
        other => panic!("layout {other}: {shown}"),
    }
}

/// A place of its own for a test, and the command in it.
pub struct Place {
    directory: TempDir,
}

/// The end of a run of the command.
pub struct Ended {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        Self {
            directory: TempDir::new().expect("a temporary directory"),
        }
    }

    /// Returns a path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect(name)
    }

    /// Returns the names in it.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("the directory");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries
            .map(|entry| name(entry.expect("an entry")))
            .collect();
        names.sort();
        names
    }

    /// Returns the command, to be run in it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_initoverlayfs"));
        for name in ["MKFS_EROFS", "FSCK_EROFS", "MKFS_BTRFS", "BTRFS"] {
            command.env(name, erofs_tool(name));
        }
        // Any program will do for what is in the image.
        command.env("INITOVERLAYFS_HANDOVER", "handover");
        command.env_remove("SOURCE_DATE_EPOCH");
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it with the words of a line. `check` does not look at the kernel of this machine.
    pub fn run(&self, line: &str) -> Ended {
        let mut command = self.command();
        command.args(line.split_whitespace());
        if line.starts_with("check ") && !line.contains("--kernel-config") {
            command.args(["--kernel-config", "none"]);
        }
        ended(command.output().expect("the command"))
    }

    /// Runs it; it has to succeed. Returns what it printed.
    pub fn succeed(&self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.status, 0, "{line}: {}{}", ended.out, ended.err);
        ended.out
    }

    /// Runs it; it has to fail with status 2. Returns what it complained of.
    pub fn fail(&self, line: &str) -> String {
        let ended = self.run(line);
        assert_eq!(ended.status, 2, "{line}: {}{}", ended.out, ended.err);
        ended.err
    }

    /// Runs it where it has to find something wrong; returns what it said.
    pub fn differ(&self, line: &str) -> String {
        let Ended { status, out, err } = self.run(line);
        assert_eq!(status, 1, "{line}: {out}{err}");
        err
    }

    /// Compresses a file in it with a program that writes to its standard output.
    pub fn compress(&self, program: &str, name: &str) -> Vec<u8> {
        let mut words = program.split_whitespace();
        let output = Command::new(words.next().expect("a program"))
            .args(words)
            .stdin(fs::File::open(self.path(name)).expect(name))
            .output()
            .expect(program);
        assert!(
            output.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }
}

pub fn ended(output: Output) -> Ended {
    Ended {
        status: output.status.code().expect("no signal"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An entry of an archive.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub name: &'a [u8],
    pub mode: u32,
    pub owner: (u32, u32),
    pub mtime: u32,
    pub content: &'a [u8],
    /// Inode number and count of links.
    pub links: (u32, u32),
    pub device: (u32, u32),
}

/// Returns a regular file.
pub fn file<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry {
        name: name.as_bytes(),
        mode: 0o100_644,
        owner: (0, 0),
        mtime: 1_000_000_000,
        content,
        links: (0, 1),
        device: (0, 0),
    }
}

/// Returns a file of another kind, without content.
pub fn node(name: &str, mode: u32) -> Entry<'_> {
    Entry {
        mode,
        ..file(name, b"")
    }
}

/// Returns a file of each other kind, a link to `target`, and a file with two names.
pub fn other_kinds(target: &[u8]) -> Vec<Entry<'_>> {
    vec![
        Entry {
            device: (5, 1),
            ..node("dev/console", 0o020_600)
        },
        Entry {
            device: (259, 300_000),
            ..node("disk", 0o060_660)
        },
        node("pipe", 0o010_640),
        Entry {
            content: target,
            ..node("link", 0o120_777)
        },
        Entry {
            links: (7, 2),
            ..file("first", b"")
        },
        Entry {
            links: (7, 2),
            ..file("second", b"shared")
        },
    ]
}

/// Returns an archive in the newc format.
pub fn newc(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut archive = Vec::new();
    let trailer = Entry {
        mode: 0,
        mtime: 0,
        ..file("TRAILER!!!", b"")
    };
    for (index, entry) in entries.iter().chain([&trailer]).enumerate() {
        let number = if entry.links.0 == 0 {
            1000 + index
        } else {
            entry.links.0 as usize
        };
        let fields = [
            number,
            entry.mode as usize,
            entry.owner.0 as usize,
            entry.owner.1 as usize,
            entry.links.1 as usize,
            entry.mtime as usize,
            entry.content.len(),
            8,
            1,
            entry.device.0 as usize,
            entry.device.1 as usize,
            entry.name.len() + 1,
            0,
        ];
        archive.extend(b"070701");
        for field in fields {
            archive.extend(format!("{field:08x}").bytes());
        }
        archive.extend(entry.name.iter().chain(&[0]));
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend(entry.content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

/// Returns text of so many bytes that gets about half as large.
pub fn lines_of_text(len: usize) -> String {
    let mut state = 1_u32;
    let mut line = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        format!("{:06x}\n", state >> 8)
    };
    let mut text = String::new();
    while text.len() < len {
        text += &line();
    }
    text.truncate(len);
    text
}
