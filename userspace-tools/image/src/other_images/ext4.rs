// SPDX-License-Identifier: GPL-2.0-only

//! Reads an ext4 image with `debugfs` of e2fsprogs, which says everything in words.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;

use super::ReadError;
use crate::cpio;
use crate::programs::DEBUGFS;
use crate::tree::{join, Content, Id, Inode, Kind, Time, Tree, Xattrs};

/// The inode of the root directory.
const ROOT: u32 = 2;

/// `debugfs` repeats each command of a script behind this.
const PROMPT: &[u8] = b"debugfs: ";

/// Reads all of the image in `image`; `place` is an empty directory.
pub(super) fn read(image: &Path, place: &Path) -> Result<Tree, ReadError> {
    let debugfs = Debugfs { image, place };
    let mut names: HashMap<u32, Vec<(Vec<u8>, u32)>> = HashMap::new();
    let mut numbers = vec![ROOT];
    let mut level = vec![ROOT];
    while !level.is_empty() {
        let answers = debugfs.ask(&level, |number| format!("ls -p <{number}>"))?;
        let mut next = Vec::new();
        for (directory, answer) in level.iter().zip(answers) {
            for name in names_in(&answer)? {
                let (name, number, is_directory) = name;
                if is_directory && names.contains_key(&number) {
                    return Err(ReadError::Senseless("a directory with two names"));
                }
                if is_directory {
                    next.push(number);
                }
                numbers.push(number);
                names.entry(*directory).or_default().push((name, number));
            }
            names.entry(*directory).or_default();
        }
        level = next;
    }
    numbers.sort_unstable();
    numbers.dedup();
    let stated = debugfs.ask(&numbers, |number| format!("stat <{number}>"))?;
    debugfs.ask(&numbers, |number| format!("dump <{number}> {number}"))?;
    let mut inodes = HashMap::new();
    for (number, words) in numbers.iter().zip(stated) {
        inodes.insert(*number, inode(&words, &place.join(number.to_string()))?);
    }
    let mut tree = Tree::new();
    let mut known: HashMap<u32, Id> = HashMap::new();
    let mut places = VecDeque::from([(ROOT, Vec::new())]);
    while let Some((number, path)) = places.pop_front() {
        if let Some(id) = known.get(&number) {
            tree.link(&path, *id);
            continue;
        }
        let inode = inodes
            .remove(&number)
            .ok_or(ReadError::Senseless("a name of no file"))?;
        known.insert(number, tree.insert(&path, inode));
        for (name, number) in names.remove(&number).unwrap_or_default() {
            places.push_back((number, join(&path, &name)));
        }
    }
    Ok(tree)
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
        let output = DEBUGFS
            .run(arguments, &[("LC_ALL", "C"), ("DEBUGFS_PAGER", "cat")])?
            .stdout;
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

/// Reads lines such as `/14/100644/0/7/name/3/`: the name, its inode, and whether that is a directory.
fn names_in(answer: &[u8]) -> Result<Vec<(Vec<u8>, u32, bool)>, ReadError> {
    let bad = ReadError::Senseless;
    let mut names = Vec::new();
    for line in answer
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b'/').collect();
        let [b"", number, mode, _, _, name, _, b""] = words[..] else {
            return Err(bad("a name with a line feed"));
        };
        let number: u32 = number_of(number).ok_or(bad("a name of no file"))?;
        if number == 0 || name == b"." || name == b".." {
            continue;
        }
        names.push((name.to_vec(), number, mode.starts_with(b"04")));
    }
    Ok(names)
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

/// Returns a file that `stat` describes, whose content, if it has any, is at `dumped`.
fn inode(words: &[u8], dumped: &Path) -> Result<Inode, ReadError> {
    parse(words, dumped)?.ok_or(ReadError::Senseless(
        "an inode that debugfs does not describe",
    ))
}

fn parse(words: &[u8], dumped: &Path) -> Result<Option<Inode>, ReadError> {
    let text = |label| word(words, label).and_then(|word| std::str::from_utf8(word).ok());
    let (Some(mode), Some(size)) = (text(" Mode:"), text("   Size:")) else {
        return Ok(None);
    };
    let (Ok(mode), Ok(size)) = (u32::from_str_radix(mode, 8), size.parse::<usize>()) else {
        return Ok(None);
    };
    // Numbers above 2^31 are negative there.
    let owner = |label| {
        text(label)
            .and_then(|word| word.parse::<i64>().ok())
            .map(|number| number as u32)
    };
    let (Some(uid), Some(gid), Some(mtime)) =
        (owner("\nUser:"), owner("   Group:"), text("\n mtime:"))
    else {
        return Ok(None);
    };
    let (Some(mtime), Some(kind)) = (time(mtime), behind(words, "   Type: ")) else {
        return Ok(None);
    };
    let kind = match kind {
        [b'd', ..] => Kind::Directory,
        [b'r', ..] => Kind::Regular(Content::read(File::open(dumped)?)?),
        [b's', b'y', ..] => {
            let target = match behind(words, "\nFast link dest: \"") {
                Some(rest) => rest.get(..size).map(<[u8]>::to_vec),
                None => Some(fs::read(dumped)?),
            };
            Kind::Symlink(target.ok_or(ReadError::Senseless("a link without a target"))?)
        }
        [b'c', ..] | [b'b', ..] => {
            let numbers = text("Device major/minor number:").and_then(|word| word.split_once(':'));
            let numbers =
                numbers.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
            let Some((major, minor)) = numbers else {
                return Ok(None);
            };
            if kind[0] == b'c' {
                Kind::Character(major, minor)
            } else {
                Kind::Block(major, minor)
            }
        }
        [b'F', ..] => Kind::Fifo,
        _ => Kind::Socket,
    };
    let xattrs = match behind(words, "\nExtended attributes:\n") {
        Some(rest) => xattrs(rest).ok_or(ReadError::Senseless("an extended attribute"))?,
        None => Xattrs::new(),
    };
    Ok(Some(Inode {
        kind,
        mode: mode & !cpio::TYPE_MASK & 0o7777,
        uid,
        gid,
        mtime,
        xattrs,
    }))
}

/// Reads a time such as `0x499602d2:00000000`: seconds of 32 bits, and a word with two more bits for them and the
/// nanoseconds (`EXT4_EPOCH_BITS`).
fn time(word: &str) -> Option<Time> {
    let (seconds, extra) = word
        .strip_prefix("0x")?
        .split_once(':')
        .unwrap_or((&word[2..], "0"));
    let seconds = u32::from_str_radix(seconds, 16).ok()? as i32;
    let extra = u32::from_str_radix(extra, 16).ok()?;
    Some(Time {
        seconds: i64::from(seconds) + (i64::from(extra & 3) << 32),
        nanoseconds: extra >> 2,
    })
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
