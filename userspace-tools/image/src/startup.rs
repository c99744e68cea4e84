// SPDX-License-Identifier: GPL-2.0-only

//! The files that are certainly read to start `/init`, for an image that stores them as they are; and those that
//! most inits need next.
//!
//! These are init itself, the interpreters of a script, and for a program the dynamic linker and all
//! libraries that it needs, found as `ld.so` would. What a program opens later (`dlopen()`, and what
//! a script calls) is not known here: profiles ([`crate::profile`]) are for that.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::rc::Rc;

use crate::elf::{Abi, Requests};
use crate::tree::{join, split, Id, Kind, Tree, LONGEST_PATH};

/// The path of the program that the kernel starts.
const INIT: &[u8] = b"init";

/// Programs that most initial roots run on each boot: a path a line, and comments. Boots of the images of several generators have read
/// them: `scripts/bench --distro --usual-programs` boots these and writes the list.
const USUAL_PROGRAMS: &[u8] = include_bytes!("usual-programs");

/// Programs that the list lacks: the kernel of those boots has no modules, and a shell is there by its own name.
const UNLISTED_PROGRAMS: [&[u8]; 2] = [b"bin/kmod", b"bin/sh"];

/// The file that glibc's `ld.so` reads on its own behalf.
const LINKER_CACHE: &[u8] = b"etc/ld.so.cache";

/// Directories that `ldconfig` adds to the usual ones.
const LINKER_CONFIGURATION: &[u8] = b"etc/ld.so.conf";

/// The usual directories for libraries, in their order: the first two are those of glibc for riscv64.
const DIRECTORIES: [&[u8]; 6] = [
    b"lib64/lp64d",
    b"usr/lib64/lp64d",
    b"lib64",
    b"usr/lib64",
    b"lib",
    b"usr/lib",
];

/// Part of the names of directories for one of several architectures, below the usual ones:
/// `x86_64-linux-gnu`.
const MULTIARCH: &[u8] = b"-linux-";

/// Bytes of a script that the kernel looks at for its interpreter.
const SCRIPT_START: usize = 256;

/// The most paths that are tried. systemd takes less than 300; only a hostile tree takes as many.
const MOST_TRIES: usize = 4_096;

/// The most directories of one kind that are looked into.
const MOST_DIRECTORIES: usize = 256;

/// The files that are read to start a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// The first name of each file.
    pub files: BTreeSet<Vec<u8>>,
    /// Bytes that these files hold together.
    pub bytes: u64,
}

impl Startup {
    /// Looks in a tree. There is none if `/init` is missing; a library that is missing is passed over.
    pub fn of(tree: &Tree) -> Self {
        Self::of_programs(tree, [INIT])
    }

    /// Looks for those files, and in the same way for what starts the programs that most inits run.
    pub fn with_usual_programs(tree: &Tree) -> Self {
        let lines = USUAL_PROGRAMS.split(|byte| *byte == b'\n');
        let paths = lines.filter(|line| line.starts_with(b"/"));
        // Where /bin is no link, they are there.
        let paths = paths.flat_map(|path| [path, path.strip_prefix(b"/usr").unwrap_or(path)]);
        let programs = [INIT].into_iter().chain(UNLISTED_PROGRAMS).chain(paths);
        Self::of_programs(tree, programs)
    }

    fn of_programs<'a>(tree: &Tree, programs: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut search = Search {
            tree,
            found: BTreeSet::new(),
            tries: MOST_TRIES,
        };
        for program in programs {
            search.program(program);
        }
        let first_names = tree.first_names();
        let mut startup = Self::default();
        for id in search.found {
            let bytes = regular(tree, id).map_or(0, <[u8]>::len);
            if let Some(name) = first_names.get(&id).filter(|_| bytes > 0) {
                startup.files.insert(name.to_vec());
                startup.bytes += bytes as u64;
            }
        }
        startup
    }
}

/// Returns what a regular file holds.
fn regular(tree: &Tree, id: Id) -> Option<&[u8]> {
    match &tree.inode(id).kind {
        Kind::Regular(content) => Some(content.bytes()),
        _ => None,
    }
}

/// A program or a library whose libraries are still to be found.
struct Object {
    requests: Requests,
    abi: Abi,
    /// The directory that it is in (`$ORIGIN`).
    origin: Vec<u8>,
    /// Directories from the program and the libraries that led here, the nearest ones first.
    inherited: Rc<[Rc<[u8]>]>,
}

impl Object {
    fn new(bytes: &[u8], abi: Abi, path: &[u8], inherited: &Rc<[Rc<[u8]>]>) -> Self {
        let requests = Requests::of(bytes);
        let origin = split(path).0.to_vec();
        let inherited = if requests.inherited_path.is_empty() {
            Rc::clone(inherited)
        } else {
            let own = directories(&requests.inherited_path, &origin);
            own.chain(inherited.iter().cloned())
                .take(MOST_DIRECTORIES)
                .collect()
        };
        Self {
            requests,
            abi,
            origin,
            inherited,
        }
    }
}

/// Returns the directories of a list that is separated by colons.
///
/// What is too long for a path is left out, as it leads nowhere.
fn directories<'a>(list: &'a [u8], origin: &'a [u8]) -> impl Iterator<Item = Rc<[u8]>> + 'a {
    let parts = list.split(|byte| *byte == b':');
    let parts = parts.filter(|part| !part.is_empty() && part.len() < LONGEST_PATH);
    parts.take(MOST_DIRECTORIES).map(move |part| {
        let rest = [&b"$ORIGIN"[..], b"${ORIGIN}"]
            .iter()
            .find_map(|word| part.strip_prefix(*word));
        match rest {
            Some(rest) => [origin, rest].concat().into(),
            None => part.into(),
        }
    })
}

struct Search<'a> {
    tree: &'a Tree,
    found: BTreeSet<Id>,
    /// The number of paths that may still be tried.
    tries: usize,
}

impl<'a> Search<'a> {
    /// Returns the regular file that a path leads to.
    fn file(&mut self, path: &[u8]) -> Option<(Id, &'a [u8])> {
        self.tries = self.tries.checked_sub(1)?;
        let id = self.tree.resolve_id(path)?;
        Some((id, regular(self.tree, id)?))
    }

    /// Adds what the kernel starts under this name, and all that takes.
    fn program(&mut self, path: &[u8]) {
        let mut path = path.to_vec();
        while let Some((id, bytes)) = self.file(&path) {
            if !self.found.insert(id) {
                return;
            }
            match script_interpreter(bytes) {
                Some(interpreter) => path = interpreter.to_vec(),
                None => {
                    if let Some(abi) = Abi::of(bytes) {
                        // The linker asks the kernel where the program is: behind all links.
                        let path = self.tree.resolve_path(&path).unwrap_or(path);
                        self.libraries(Object::new(bytes, abi, &path, &Rc::from([])));
                    }
                    return;
                }
            }
        }
    }

    /// Adds the dynamic linker and the libraries of a program, those of libraries included.
    fn libraries(&mut self, program: Object) {
        let Some(linker) = program.requests.interpreter.as_deref() else {
            return;
        };
        for path in [linker, LINKER_CACHE] {
            let file = self.file(path);
            self.found.extend(file.map(|(id, _)| id));
        }
        let usual = self.usual_directories();
        let mut names = HashSet::new();
        let mut waiting = VecDeque::from([program]);
        while let Some(object) = waiting.pop_front() {
            let run_path = &object.requests.run_path;
            // Who has a run path of its own inherits nothing.
            let inherited = if run_path.is_empty() {
                &object.inherited[..]
            } else {
                &[]
            };
            let own: Vec<Rc<[u8]>> = directories(run_path, &object.origin).collect();
            let places: Vec<_> = inherited.iter().chain(&own).chain(&usual).collect();
            for name in &object.requests.needed {
                if self.tries == 0 {
                    return;
                }
                // Two libraries of the same name are never loaded.
                if names.contains(name) {
                    continue;
                }
                let library = if name.contains(&b'/') {
                    self.library(name.clone(), object.abi)
                } else {
                    let mut paths = places.iter().map(|directory| join(directory, name));
                    paths.find_map(|path| self.library(path, object.abi))
                };
                let Some((id, bytes, path)) = library else {
                    continue;
                };
                names.insert(name.clone());
                if self.found.insert(id) {
                    let library = Object::new(bytes, object.abi, &path, &object.inherited);
                    waiting.push_back(library);
                }
            }
        }
    }

    /// Returns the library that a path leads to, if it suits, with that path.
    fn library(&mut self, path: Vec<u8>, abi: Abi) -> Option<(Id, &'a [u8], Vec<u8>)> {
        let (id, bytes) = self.file(&path)?;
        (Abi::of(bytes) == Some(abi)).then_some((id, bytes, path))
    }

    /// Returns where the linker looks for all libraries.
    fn usual_directories(&mut self) -> Vec<Rc<[u8]>> {
        let configured = self.configured_directories().into_iter();
        let mut directories: Vec<Rc<[u8]>> = configured.map(Into::into).collect();
        let multiarch = self.tree.iter().map(|(path, _)| path).filter(|path| {
            let (directory, name) = split(path);
            DIRECTORIES.contains(&directory) && memchr::memmem::find(name, MULTIARCH).is_some()
        });
        directories.extend(multiarch.take(MOST_DIRECTORIES).map(Rc::from));
        directories.extend(DIRECTORIES.map(Rc::from));
        directories
    }

    /// Returns the directories of `ld.so.conf`, and of the files that it includes as `DIRECTORY/*.conf`.
    fn configured_directories(&mut self) -> Vec<Vec<u8>> {
        let mut directories = Vec::new();
        for line in self.lines(LINKER_CONFIGURATION) {
            let Some(pattern) = line.strip_prefix(b"include") else {
                directories.push(line.to_vec());
                continue;
            };
            if let Some(directory) = pattern.trim_ascii().strip_suffix(b"/*.conf") {
                for path in self.configurations(directory) {
                    let lines = self.lines(&path).filter(|line| line.starts_with(b"/"));
                    directories.extend(lines.map(<[u8]>::to_vec));
                }
            }
        }
        directories.truncate(MOST_DIRECTORIES);
        directories
    }

    /// Returns the files in a directory, named as `ld.so.conf` names it, whose names end in `.conf`.
    fn configurations(&self, directory: &[u8]) -> Vec<Vec<u8>> {
        // What is not absolute is relative to the file.
        let directory = match directory.strip_prefix(b"/") {
            Some(directory) => directory.to_vec(),
            None => join(split(LINKER_CONFIGURATION).0, directory),
        };
        let Some(place) = self.tree.resolve_path(&directory) else {
            return Vec::new();
        };
        let paths = self.tree.iter().map(|(path, _)| path);
        paths
            .filter(|path| split(path).0 == place && path.ends_with(b".conf"))
            .take(MOST_DIRECTORIES)
            .map(<[u8]>::to_vec)
            .collect()
    }

    /// Returns the first lines of a configuration that say something; none if there is no such file.
    fn lines(&mut self, path: &[u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.file(path).map_or(&[][..], |(_, bytes)| bytes);
        let lines = bytes.split(|byte| *byte == b'\n').map(|line| {
            let comment = memchr::memchr(b'#', line).unwrap_or(line.len());
            line[..comment].trim_ascii()
        });
        lines.filter(|line| !line.is_empty()).take(MOST_DIRECTORIES)
    }
}

/// Returns the interpreter that a script names in its first line.
fn script_interpreter(bytes: &[u8]) -> Option<&[u8]> {
    let start = &bytes[..bytes.len().min(SCRIPT_START)];
    let line = start.strip_prefix(b"#!")?;
    let line = line.split(|byte| *byte == b'\n').next()?;
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | 0));
    words.find(|word| !word.is_empty())
}
