// SPDX-License-Identifier: GPL-2.0-only

//! Reads an ext4 image with `debugfs` of e2fsprogs, which says everything in words.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;

use super::paths::{paths, time, tree_of, Names};
use super::ReadError;
use crate::content::{Store, LARGEST};
use crate::cpio;
use crate::mkfs::debugfs;
use crate::tree::{Inode, Kind, Tree, Xattrs};

/// The inode of the root directory.
const ROOT: u32 = 2;

/// `debugfs` repeats each command of a script behind this.
const PROMPT: &[u8] = b"debugfs: ";

/// The text in front of the target of a symbolic link that is in the inode.
const FAST_LINK: &str = "\nFast link dest: \"";

/// Reads all of the image in `image`; `place` is an empty directory.
pub(super) fn read(image: &Path, place: &Path) -> Result<Tree, ReadError> {
    let program = Debugfs { image, place };
    let mut names = Names::new();
    let mut modes = BTreeMap::from([(ROOT, cpio::DIRECTORY)]);
    let mut level = vec![ROOT];
    while !level.is_empty() {
        let answers = program.ask(&level, |number| format!("ls -p <{number}>"))?;
        let mut next = Vec::new();
        for (directory, answer) in level.iter().zip(answers) {
            let mut entries = Vec::new();
            for Entry { name, number, mode } in entries_in(&answer)? {
                let is_new = modes.insert(number, mode & cpio::TYPE_MASK).is_none();
                if is_new && mode & cpio::TYPE_MASK == cpio::DIRECTORY {
                    next.push(number);
                }
                entries.push((name, number));
            }
            names.insert(*directory, entries);
        }
        level = next;
    }
    let paths = paths(ROOT, &names)?;
    let numbers: Vec<u32> = modes.keys().copied().collect();
    let mut stated = HashMap::new();
    let answers = program.ask(&numbers, |number| format!("stat <{number}>"))?;
    for (number, words) in numbers.iter().zip(answers) {
        let size = number_behind(&words, "   Size:");
        if size.is_none_or(|size: u64| size > LARGEST) {
            return Err(ReadError::Senseless(
                "a file is larger than any that is read here",
            ));
        }
        stated.insert(*number, words);
    }
    let has_content = |(number, mode): &(&u32, &u32)| match **mode {
        cpio::REGULAR => true,
        // A short target is in the inode.
        cpio::SYMLINK => behind(&stated[*number], FAST_LINK).is_none(),
        _ => false,
    };
    let files = modes.iter().filter(has_content);
    let files: Vec<u32> = files.map(|(number, _)| *number).collect();
    program.ask(&files, |number| format!("dump <{number}> {number}"))?;
    let mut store = Store::default();
    tree_of(paths, |_, number| {
        let words = stated.get(&number).map(Vec::as_slice).unwrap_or_default();
        inode(words, &place.join(number.to_string()), &mut store)
    })
}

/// The program, with an image and a directory to work in.
struct Debugfs<'a> {
    image: &'a Path,
    place: &'a Path,
}

impl Debugfs<'_> {
    /// Asks something of each inode, in one run; returns the answers.
    fn ask(
        &self,
        numbers: &[u32],
        command: impl Fn(u32) -> String,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let script = self.place.join("script");
        let commands: Vec<_> = numbers.iter().map(|number| command(*number)).collect();
        // It writes files where it works.
        fs::write(
            &script,
            format!("lcd {}\n{}\n", quoted(self.place)?, commands.join("\n")),
        )?;
        let arguments = [OsStr::new("-f"), script.as_os_str(), self.image.as_os_str()];
        let output = debugfs(&arguments, &[("LC_ALL", "C"), ("DEBUGFS_PAGER", "cat")])?;
        let mut rest = &output[..];
        let mut answers = Vec::new();
        for command in &commands {
            let line = [PROMPT, command.as_bytes(), b"\n"].concat();
            let at = find(rest, &line).ok_or(ReadError::Senseless("debugfs stopped"))?;
            rest = &rest[at + line.len()..];
            let end = find(rest, &[b"\n", PROMPT].concat()).map_or(rest.len(), |end| end + 1);
            answers.push(rest[..end].to_vec());
        }
        Ok(answers)
    }
}

/// Returns a path for a script.
fn quoted(path: &Path) -> Result<String, ReadError> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\n']));
    let text = text.ok_or(ReadError::Senseless(
        "TMPDIR has a name that debugfs cannot read",
    ))?;
    Ok(format!("\"{text}\""))
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes
        .windows(pattern.len())
        .position(|window| window == pattern)
}

/// A name in a directory.
struct Entry {
    name: Vec<u8>,
    /// The inode.
    number: u32,
    mode: u32,
}

/// Reads lines such as `/14/100644/0/7/name/3/`.
fn entries_in(answer: &[u8]) -> Result<Vec<Entry>, ReadError> {
    let bad = ReadError::Senseless;
    let mut entries = Vec::new();
    let lines = answer.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b'/').collect();
        let [b"", number, mode, _, _, name, _, b""] = words[..] else {
            return Err(bad("a name has a line feed or a slash"));
        };
        let number = number_of(number).ok_or(bad("a name is that of no file"))?;
        let mode = octal(mode).ok_or(bad("a name is that of no file"))?;
        if number != 0 && name != b"." && name != b".." {
            let name = name.to_vec();
            entries.push(Entry { name, number, mode });
        }
    }
    Ok(entries)
}

fn octal(word: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(word).ok()?, 8).ok()
}

fn number_of<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.trim().parse().ok()
}

/// Returns what stands behind a label.
fn behind<'a>(words: &'a [u8], label: &str) -> Option<&'a [u8]> {
    let at = find(words, label.as_bytes())?;
    Some(&words[at + label.len()..])
}

/// Returns the first word behind a label, which may be a number.
fn word<'a>(words: &'a [u8], label: &str) -> Option<&'a [u8]> {
    let rest = behind(words, label)?;
    let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    rest[start..].split(u8::is_ascii_whitespace).next()
}

/// Returns the number behind a label.
fn number_behind<T: std::str::FromStr>(words: &[u8], label: &str) -> Option<T> {
    number_of(word(words, label)?)
}

/// Returns a file that `stat` describes, whose content, if it has any, is at `dumped`.
fn inode(words: &[u8], dumped: &Path, store: &mut Store) -> Result<Inode, ReadError> {
    let bad = || ReadError::Senseless("debugfs does not describe an inode");
    // Numbers above 2^31 are negative there.
    let owner = |label| number_behind::<i64>(words, label).map(|number| number as u32);
    let mode = word(words, " Mode:").and_then(octal);
    let (seconds, nanoseconds) = word(words, "\n mtime:").and_then(moment).ok_or_else(bad)?;
    let xattrs = match behind(words, "\nExtended attributes:\n") {
        Some(rest) => xattrs(rest).ok_or_else(bad)?,
        None => Xattrs::new(),
    };
    let kind = match behind(words, "   Type: ").ok_or_else(bad)? {
        [b'd', ..] => Kind::Directory,
        [b'r', ..] => Kind::Regular(store.take(File::open(dumped)?)?),
        [b's', b'y', ..] => Kind::Symlink(match behind(words, FAST_LINK) {
            Some(rest) => {
                let size: usize = number_behind(words, "   Size:").ok_or_else(bad)?;
                rest.get(..size).ok_or_else(bad)?.to_vec()
            }
            None => fs::read(dumped)?,
        }),
        [kind @ (b'c' | b'b'), ..] => {
            let (major, minor) = device(words).ok_or_else(bad)?;
            match kind {
                b'c' => Kind::Character(major, minor),
                _ => Kind::Block(major, minor),
            }
        }
        [b'F', ..] => Kind::Fifo,
        _ => Kind::Socket,
    };
    Ok(Inode {
        kind,
        mode: mode.ok_or_else(bad)? & 0o7777,
        uid: owner("\nUser:").ok_or_else(bad)?,
        gid: owner("   Group:").ok_or_else(bad)?,
        mtime: time(seconds, nanoseconds)?,
        xattrs,
    })
}

/// Reads `05:300`.
fn device(words: &[u8]) -> Option<(u32, u32)> {
    let mut numbers = word(words, "Device major/minor number:")?.split(|byte| *byte == b':');
    Some((number_of(numbers.next()?)?, number_of(numbers.next()?)?))
}

/// Reads a time such as `0x499602d2:00000000`: seconds of 32 bits, and a word with two more bits for them and the
/// nanoseconds (`EXT4_EPOCH_BITS`).
fn moment(word: &[u8]) -> Option<(i64, u32)> {
    let word = std::str::from_utf8(word).ok()?.strip_prefix("0x")?;
    let (seconds, extra) = word.split_once(':').unwrap_or((word, "0"));
    let seconds = u32::from_str_radix(seconds, 16).ok()? as i32;
    let extra = u32::from_str_radix(extra, 16).ok()?;
    Some((
        i64::from(seconds) + (i64::from(extra & 3) << 32),
        extra >> 2,
    ))
}

/// Reads lines such as `  user.a (3) = "a\"b"`, `  user.b (2) = 00 ff` and `  user.c (0)`.
fn xattrs(words: &[u8]) -> Option<Xattrs> {
    let mut xattrs = Xattrs::new();
    for line in words.split(|byte| *byte == b'\n') {
        let Some(line) = line.strip_prefix(b"  ") else {
            break;
        };
        let open = find(line, b" (")?;
        let close = open + find(&line[open..], b")")?;
        let len: usize = number_of(&line[open + 2..close])?;
        let value = match line[close + 1..].strip_prefix(b" = ") {
            None => Vec::new(),
            Some([b'"', text @ .., b'"']) => unescaped(text)?,
            Some(digits) => {
                let digits = digits
                    .split(|byte| *byte == b' ')
                    .filter(|word| !word.is_empty());
                let bytes =
                    digits.map(|word| u8::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok());
                bytes.collect::<Option<_>>()?
            }
        };
        (value.len() == len).then_some(())?;
        xattrs.insert(line[..open].to_vec(), value);
    }
    Some(xattrs)
}

/// Returns text without its backslashes: in front of letters as in C, of octal digits, and of themselves.
fn unescaped(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if *first != b'\\' {
            out.push(*first);
            continue;
        }
        let (second, behind) = rest.split_first()?;
        rest = behind;
        out.push(match second {
            b'0'..=b'7' => {
                let (digits, behind) = rest.split_at_checked(2)?;
                rest = behind;
                let digits = [&[*second], digits].concat();
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
            }
            b'a' => 7,
            b'b' => 8,
            b't' => 9,
            b'n' => 10,
            b'v' => 11,
            b'f' => 12,
            b'r' => 13,
            other => *other,
        });
    }
    Some(out)
}
