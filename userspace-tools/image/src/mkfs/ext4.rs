// SPDX-License-Identifier: GPL-2.0-only

//! ext4 images are made by `mke2fs`, filled by `debugfs` and cut to size by `resize2fs`, all of e2fsprogs.
//!
//! `mke2fs -d` would fill them from a directory, in the order in which the disk has its names, and with
//! the time at which they were put there: two images of the same tree would differ.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::MkfsError;
use crate::programs::{DEBUGFS, MKE2FS, RESIZE2FS};
use crate::temporary;
use crate::tree::{split, Id, Inode, Kind, Time, Tree};

/// Bytes in a block.
const BLOCK: u64 = 4096;

/// The features of an image, whatever `mke2fs.conf` says: no journal, as nobody writes to it; checksums.
const FEATURES: &str = "none,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
    large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// The parts of that many blocks that are tried for trees of extents, bitmaps and descriptors. What is too much
/// `resize2fs` cuts off again, but for large images not all of it.
const SPARE_PARTS: [u64; 3] = [256, 16, 2];

/// Blocks of an empty filesystem, amply.
const LEAST_BLOCKS: u64 = 128;

/// The message of `debugfs` if there were too few.
const NO_BLOCK: &str = "Could not allocate block";

/// Inodes that are there before any file: the reserved ones, and that of `lost+found`.
const RESERVED_INODES: usize = 11;

/// `debugfs` reads no longer lines.
const LONGEST_LINE: usize = 8191;

/// Returns an error unless the tools are there.
pub(super) fn check_tools() -> Result<(), MkfsError> {
    // They state their versions as errors; any that is still in use will do.
    for program in [&MKE2FS, &DEBUGFS, &RESIZE2FS] {
        program.version_text("-V")?;
    }
    Ok(())
}

/// Makes an image of a tree; the same tree makes the same image. Returns what it leaves out.
pub(super) fn from_tree(tree: &Tree, image: &Path, date: u64) -> Result<Vec<Vec<u8>>, MkfsError> {
    // 0 would be the present to them.
    let date = date.max(1).to_string();
    let environment = [
        ("MKE2FS_CONFIG", "/dev/null"),
        ("E2FSPROGS_FAKE_TIME", &date),
        ("LC_ALL", "C"),
    ];
    let place = temporary::directory().map_err(MkfsError::Temporary)?;
    let script = Script::of(tree, place.path())?;
    let list = place.path().join("commands");
    fs::write(&list, &script.commands).map_err(MkfsError::Temporary)?;
    let mut last = Ok(());
    for part in SPARE_PARTS {
        make_empty(tree, image, part, &environment)?;
        last = fill(image, &list, &environment);
        match &last {
            Err(MkfsError::Failed(_, words)) if words.contains(NO_BLOCK) => {}
            _ => break,
        }
    }
    last?;
    let mut len = u64::MAX;
    loop {
        let arguments = ["-f".as_ref(), "-M".as_ref(), image.as_os_str()];
        RESIZE2FS.run(arguments, &environment)?;
        let shrunk = fs::metadata(image).map_err(MkfsError::Temporary)?.len();
        if shrunk >= len {
            return Ok(script.left_out);
        }
        len = shrunk;
    }
}

/// Has the commands of a file carried out.
fn fill(image: &Path, list: &Path, environment: &[(&str, &str)]) -> Result<(), MkfsError> {
    let arguments = [
        "-w".as_ref(),
        "-f".as_ref(),
        list.as_os_str(),
        image.as_ref(),
    ];
    debugfs(&arguments, environment).map(drop)
}

/// Runs `debugfs`, which ends well even if a command failed; returns what it printed.
///
/// # Errors
///
/// [`MkfsError::Missing`], and [`MkfsError::Failed`] with the first of its complaints.
pub(crate) fn debugfs(
    arguments: &[&OsStr],
    environment: &[(&str, &str)],
) -> Result<Vec<u8>, MkfsError> {
    const MOST: usize = 3;
    let output = DEBUGFS.run(arguments, environment)?;
    // The first line is its version.
    let words = String::from_utf8_lossy(&output.stderr);
    let words: Vec<_> = words.lines().skip(1).filter(|l| !l.is_empty()).collect();
    if words.is_empty() {
        return Ok(output.stdout);
    }
    let words = words[..words.len().min(MOST)].join("; ");
    Err(MkfsError::Failed(&DEBUGFS, words))
}

/// Makes an empty filesystem that the tree fits into, with the blocks that it is known to take, and a part
/// of these to spare.
fn make_empty(
    tree: &Tree,
    image: &Path,
    part: u64,
    environment: &[(&str, &str)],
) -> Result<(), MkfsError> {
    let (inodes, blocks) = needs(tree);
    let blocks = blocks + blocks / part + LEAST_BLOCKS;
    let arguments = [
        "-q", "-F", "-b", "4096", "-I", "256", "-m", "0", "-U", "clear", "-O", FEATURES,
        "-E", "hash_seed=00000000-0000-0000-0000-000000000001,lazy_itable_init=0,nodiscard,root_owner=0:0",
        "-N",
    ];
    let mut arguments: Vec<_> = arguments.map(Into::into).into();
    arguments.push(inodes.to_string().into());
    arguments.push(image.as_os_str().to_owned());
    arguments.push(blocks.to_string().into());
    MKE2FS.run(arguments, environment).map(drop)
}

/// Returns the number of inodes that a tree takes, and the blocks of its files, directories and inodes.
fn needs(tree: &Tree) -> (usize, u64) {
    let len = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let names = tree.iter().map(|(path, _)| {
        // An entry of a directory; a directory may have up to half of its blocks empty.
        16 + len(split(path).1.len())
    });
    let mut bytes = 2 * names.sum::<u64>();
    let files = tree.first_names();
    let mut blocks = 0;
    for id in files.keys() {
        let inode = tree.inode(*id);
        let content = match &inode.kind {
            Kind::Regular(content) => len(content.len()),
            Kind::Symlink(_) | Kind::Directory => BLOCK,
            _ => 0,
        };
        blocks += content.div_ceil(BLOCK) + u64::from(!inode.xattrs.is_empty());
        bytes += 256;
    }
    let inodes = files.len() + RESERVED_INODES;
    blocks += bytes.div_ceil(BLOCK);
    (inodes, blocks)
}

/// The commands for `debugfs`.
struct Script {
    commands: Vec<u8>,
    left_out: Vec<Vec<u8>>,
}

impl Script {
    /// For a tree; what its files hold is put down in a directory.
    fn of(tree: &Tree, place: &Path) -> Result<Self, MkfsError> {
        let mut script = Self {
            commands: Vec::new(),
            left_out: Vec::new(),
        };
        script.line(&[b"rmdir", b"lost+found"])?;
        let mut links: HashMap<Id, u32> = HashMap::new();
        for (_, id) in tree.iter() {
            *links.entry(id).or_default() += 1;
        }
        let mut first_names: HashMap<Id, &[u8]> = HashMap::new();
        let mut here: &[u8] = b"";
        for (path, id) in tree.iter() {
            let inode = tree.inode(id);
            if inode.kind == Kind::Socket {
                script.left_out.push(path.to_vec());
                continue;
            }
            let (directory, name) = split(path);
            if directory != here {
                script.line(&[b"cd", &[b"/", directory].concat()])?;
                here = directory;
            }
            if let Some(first) = first_names.get(&id) {
                script.link(first, name)?;
                continue;
            }
            first_names.insert(id, path);
            let number = first_names.len();
            script.file(name, inode, &place.join(format!("{number}")))?;
            let links = links.get(&id).copied().unwrap_or(1);
            script.attributes(name, inode, links, &place.join(format!("{number}.")))?;
        }
        Ok(script)
    }

    /// Adds a command, with its words in quotes.
    fn line(&mut self, words: &[&[u8]]) -> Result<(), MkfsError> {
        let start = self.commands.len();
        for word in words {
            if word.contains(&b'\n') {
                let word = String::from_utf8_lossy(word).replace('\n', "\\n");
                return Err(MkfsError::LineFeed(word, &DEBUGFS));
            }
            self.commands.push(b'"');
            for byte in *word {
                self.commands.push(*byte);
                if *byte == b'"' {
                    self.commands.push(b'"');
                }
            }
            self.commands.extend(b"\" ");
        }
        self.commands.push(b'\n');
        let line = &self.commands[start..];
        if line.len() > LONGEST_LINE {
            let line = String::from_utf8_lossy(line).into_owned();
            return Err(MkfsError::Failed(&DEBUGFS, format!("too long: {line}")));
        }
        Ok(())
    }

    /// Gives another name to a file.
    fn link(&mut self, first: &[u8], name: &[u8]) -> Result<(), MkfsError> {
        // A full directory is enlarged for a new file, but not for a link.
        self.line(&[b"symlink", name, b"x"])?;
        self.line(&[b"rm", &own(name)])?;
        self.line(&[b"ln", &[b"/", first].concat(), name])
    }

    /// Makes a file; `content` is where to put down what it holds.
    fn file(&mut self, name: &[u8], inode: &Inode, content: &Path) -> Result<(), MkfsError> {
        use std::os::unix::ffi::OsStrExt;
        match &inode.kind {
            // The root is there.
            Kind::Directory if name.is_empty() => Ok(()),
            Kind::Directory => self.line(&[b"mkdir", name]),
            Kind::Regular(bytes) => {
                let written = fs::File::create(content).and_then(|file| bytes.write_to(&file));
                written.map_err(MkfsError::Temporary)?;
                self.line(&[b"write", content.as_os_str().as_bytes(), name])
            }
            Kind::Symlink(target) => self.line(&[b"symlink", name, target]),
            Kind::Character(major, minor) => self.device(name, b"c", *major, *minor),
            Kind::Block(major, minor) => self.device(name, b"b", *major, *minor),
            Kind::Fifo | Kind::Socket => self.line(&[b"mknod", name, b"p"]),
        }
    }

    /// Makes a device. Its numbers stand in the inode, small ones as ever, in one of two places.
    fn device(
        &mut self,
        name: &[u8],
        kind: &[u8],
        major: u32,
        minor: u32,
    ) -> Result<(), MkfsError> {
        if major < 256 && minor < 256 {
            let (major, minor) = (major.to_string(), minor.to_string());
            return self.line(&[b"mknod", name, kind, major.as_bytes(), minor.as_bytes()]);
        }
        // Not all versions take large numbers.
        self.line(&[b"mknod", name, kind, b"0", b"1"])?;
        let number = minor & 0xff | major << 8 | (minor & !0xff) << 12;
        self.set(name, "block[0]", "0")?;
        self.set(name, "block[1]", &number.to_string())
    }

    fn set(&mut self, name: &[u8], field: &str, value: &str) -> Result<(), MkfsError> {
        let (field, value) = (field.as_bytes(), value.as_bytes());
        self.line(&[b"set_inode_field", &own(name), field, value])
    }

    /// Sets all else; `values` is what to call the files with attributes.
    fn attributes(
        &mut self,
        name: &[u8],
        inode: &Inode,
        links: u32,
        values: &Path,
    ) -> Result<(), MkfsError> {
        use std::os::unix::ffi::OsStrExt;
        for (number, (attribute, value)) in inode.xattrs.iter().enumerate() {
            let file = values.with_extension(number.to_string());
            fs::write(&file, value).map_err(MkfsError::Temporary)?;
            let file = file.as_os_str().as_bytes();
            self.line(&[b"ea_set", b"-f", file, &own(name), attribute])?;
        }
        let mode = kind_bits(&inode.kind) | inode.mode;
        self.set(name, "mode", &format!("0{mode:o}"))?;
        if inode.uid != 0 {
            self.set(name, "uid", &inode.uid.to_string())?;
        }
        if inode.gid != 0 {
            self.set(name, "gid", &inode.gid.to_string())?;
        }
        if links > 1 {
            self.set(name, "links_count", &links.to_string())?;
        }
        let (seconds, extra) = time(inode.mtime);
        self.set(name, "mtime", &format!("@{seconds}"))?;
        self.set(name, "mtime_extra", &extra.to_string())
    }
}

/// Returns a name of the directory that `debugfs` is in, which does not pass for the number of an inode.
fn own(name: &[u8]) -> Vec<u8> {
    [b"./", name].concat()
}

/// Returns the type in a mode.
pub(super) fn kind_bits(kind: &Kind) -> u32 {
    match kind {
        Kind::Fifo => 0o010_000,
        Kind::Character(..) => 0o020_000,
        Kind::Directory => 0o040_000,
        Kind::Block(..) => 0o060_000,
        Kind::Regular(_) => 0o100_000,
        Kind::Symlink(_) => 0o120_000,
        Kind::Socket => 0o140_000,
    }
}

/// Returns a time as an inode has it: `fs/ext4/ext4.h: ext4_encode_extra_time()`. Those that it cannot state
/// become the nearest that it can.
fn time(time: Time) -> (u32, u32) {
    let seconds = time.seconds.clamp(i64::from(i32::MIN), 0x3_7fff_ffff);
    // The lower half counts from 1970 in both directions, two more bits count its rounds.
    let low = seconds & 0xffff_ffff;
    let signed = if low > 0x7fff_ffff {
        low - (1 << 32)
    } else {
        low
    };
    let rounds = (seconds - signed) >> 32 & 3;
    let fit = |number: i64| u32::try_from(number).unwrap_or_default();
    (fit(low), time.nanoseconds << 2 | fit(rounds))
}
