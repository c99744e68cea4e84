// SPDX-License-Identifier: GPL-2.0-only

//! The contents of files: small ones in memory, large ones in files, which are read in pieces.

use std::cell::OnceCell;
use std::env;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::rc::Rc;

use vmap::Map;

use crate::disk_space;

/// Contents of at least this size, in bytes, are not held in memory.
pub const LARGE: u64 = 1 << 20;

/// The largest content that is read of a source that can state a hole of any size with a few bytes, in bytes: holes
/// are read like all else.
pub const LARGEST: u64 = 64 << 30;

/// The part of a large file that is handled at once, in bytes.
const PIECE: u64 = 1 << 16;

/// The place of bytes.
enum Place {
    /// In memory.
    Memory(Vec<u8>),
    /// In a file that is open.
    Open(Rc<File>, Mapping),
    /// In a file that is opened when it is read: there may be more than a process may have open.
    Named(PathBuf, Mapping),
}

/// A file's bytes, once they have been looked at, if that was possible.
type Mapping = OnceCell<Option<Map>>;

impl Place {
    fn bytes(&self) -> &[u8] {
        let map = |file: &File| Map::with_options().map_if(file).ok().flatten();
        let map = match self {
            Self::Memory(bytes) => return bytes,
            Self::Open(file, mapping) => mapping.get_or_init(|| map(file)),
            Self::Named(path, mapping) => {
                mapping.get_or_init(|| File::open(path).ok().as_ref().and_then(map))
            }
        };
        map.as_deref().unwrap_or_default()
    }
}

/// The content of a file: a part of the bytes in a place, which others may share.
#[derive(Clone)]
pub struct Content {
    place: Rc<Place>,
    range: Range<usize>,
}

impl Content {
    /// Returns what a source holds, from where it stands to its end. A large file is mapped, and must not become
    /// shorter; what cannot be mapped goes through a [`Sink`].
    ///
    /// # Errors
    ///
    /// What reading, or writing to a temporary file, says.
    pub fn read(mut source: File) -> io::Result<Self> {
        let len = source.metadata()?.len();
        let is_whole = source.stream_position().is_ok_and(|at| at == 0);
        let map = (is_whole && len >= LARGE).then(|| Map::with_options().map_if(&source));
        if let Some(Ok(Some(map))) = map {
            let range = 0..map.len();
            let place = Place::Open(Rc::new(source), OnceCell::from(Some(map)));
            let place = Rc::new(place);
            return Ok(Self { place, range });
        }
        let mut sink = Sink::default();
        io::copy(&mut source, &mut sink)?;
        sink.finish()
    }

    /// Returns the first `len` bytes of a file that stays as it is until they are written.
    pub fn named(path: PathBuf, len: usize) -> Self {
        Self {
            place: Rc::new(Place::Named(path, Mapping::new())),
            range: 0..len,
        }
    }

    /// Returns a part of it; nothing if there is no such part.
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        let start = self.range.start.checked_add(range.start)?;
        let end = self.range.start.checked_add(range.end)?;
        (start <= end && end <= self.range.end).then(|| Self {
            place: Rc::clone(&self.place),
            range: start..end,
        })
    }

    /// Returns how many bytes there are.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// Returns the bytes, to be looked at: those of a file are mapped. There are none if the file cannot be read any
    /// more, which is an error for a [`reader`](Self::reader).
    pub fn bytes(&self) -> &[u8] {
        let bytes = self.place.bytes().get(self.range.clone());
        bytes.unwrap_or_default()
    }

    /// Returns a reader of the bytes. Those of a file go through the memory of whoever reads only.
    ///
    /// # Errors
    ///
    /// What opening the file says. To the reader, a file that has become shorter is `UnexpectedEof`.
    pub fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        let file = match &*self.place {
            Place::Memory(_) => return Ok(Box::new(self.bytes())),
            Place::Open(file, _) => Rc::clone(file),
            Place::Named(path, _) => Rc::new(File::open(path)?),
        };
        let rest = self.range.start as u64..self.range.end as u64;
        Ok(Box::new(Part { file, rest }))
    }

    /// Writes the bytes to an empty file, which gets holes where they are NUL.
    ///
    /// # Errors
    ///
    /// What reading or writing says.
    pub fn write_to(&self, file: &File) -> io::Result<()> {
        copy_with_holes(&mut *self.reader()?, file, 0).map(drop)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        let place = Rc::new(Place::Memory(bytes));
        Self { place, range }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// A reader of a part of a file.
struct Part {
    file: Rc<File>,
    rest: Range<u64>,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let most = buffer.len().min(rest);
        if most == 0 {
            return Ok(0);
        }
        match self.file.read_at(&mut buffer[..most], self.rest.start)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            len => {
                self.rest.start += len as u64;
                Ok(len)
            }
        }
    }
}

/// Copies all that is read to an offset at a file's end, and leaves holes for what is NUL. Returns where the
/// file ends then.
fn copy_with_holes(reader: &mut dyn Read, file: &File, start: u64) -> io::Result<u64> {
    let mut end = start;
    let mut piece = Vec::new();
    loop {
        piece.clear();
        reader.take(PIECE).read_to_end(&mut piece)?;
        if piece.is_empty() {
            file.set_len(end)?;
            return Ok(end);
        }
        if piece.iter().any(|byte| *byte != 0) {
            file.write_all_at(&piece, end)?;
        }
        end += piece.len() as u64;
    }
}

/// Says where there is no room for a temporary file.
fn explain(error: io::Error) -> io::Error {
    if !disk_space::is_lack_of_room(&error) {
        return error;
    }
    let place = env::temp_dir();
    let text = format!(
        "{}: the disk is full: TMPDIR names another place",
        place.display()
    );
    io::Error::new(error.kind(), text)
}

/// A part of a sparse file that is no hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The offset in the file, in bytes.
    pub offset: usize,
    /// The size, in bytes.
    pub len: usize,
}

/// Takes contents from readers: small ones into memory, large ones into one temporary file without a name.
/// They can be looked at when all of them are taken.
#[derive(Default)]
pub struct Store {
    open: Option<(Rc<File>, Rc<Place>)>,
    end: u64,
}

impl Store {
    /// Takes all that is read.
    ///
    /// # Errors
    ///
    /// What reading, or writing to the temporary file, says.
    pub fn take(&mut self, mut reader: impl Read) -> io::Result<Content> {
        let mut start = Vec::new();
        reader.by_ref().take(LARGE).read_to_end(&mut start)?;
        if (start.len() as u64) < LARGE {
            return Ok(start.into());
        }
        self.add(|file, at| copy_with_holes(&mut start.as_slice().chain(reader), file, at))
    }

    /// Takes a sparse file of `size` bytes, of which `extents` are read one after the other.
    ///
    /// # Errors
    ///
    /// As for [`take`](Self::take), `UnexpectedEof` if less is read, and `InvalidData` for an extent that
    /// is not in the file.
    pub fn take_sparse(
        &mut self,
        mut reader: impl Read,
        size: usize,
        extents: &[Extent],
    ) -> io::Result<Content> {
        let is_inside = |extent: &Extent| {
            let end = extent.offset.checked_add(extent.len);
            end.is_some_and(|end| end <= size)
        };
        if !extents.iter().all(is_inside) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if (size as u64) < LARGE {
            let mut bytes = vec![0; size];
            for Extent { offset, len } in extents {
                reader.read_exact(&mut bytes[*offset..offset + len])?;
            }
            return Ok(bytes.into());
        }
        self.add(|file, start| {
            let end = start.checked_add(size as u64);
            let end = end.ok_or(io::ErrorKind::FileTooLarge)?;
            file.set_len(end)?;
            let mut piece = Vec::new();
            for Extent { offset, len } in extents {
                let mut at = start + *offset as u64;
                let behind = at + *len as u64;
                while at < behind {
                    piece.clear();
                    let most = PIECE.min(behind - at);
                    if reader.by_ref().take(most).read_to_end(&mut piece)? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    file.write_all_at(&piece, at)?;
                    at += piece.len() as u64;
                }
            }
            Ok(end)
        })
    }

    /// Has the temporary file written at an offset; what is written ends where that says.
    fn add(&mut self, write: impl FnOnce(&File, u64) -> io::Result<u64>) -> io::Result<Content> {
        let (file, place) = match &self.open {
            Some(open) => open,
            None => {
                let file = Rc::new(tempfile::tempfile().map_err(explain)?);
                let place = Rc::new(Place::Open(Rc::clone(&file), Mapping::new()));
                self.open.insert((file, place))
            }
        };
        let end = write(file, self.end).map_err(explain)?;
        let range = usize::try_from(self.end).map_err(io::Error::other)?
            ..usize::try_from(end).map_err(io::Error::other)?;
        self.end = end;
        let place = Rc::clone(place);
        Ok(Content { place, range })
    }
}

/// Takes what is written to it, into memory as long as it is small, then into a temporary file without a name.
#[derive(Default)]
pub struct Sink {
    memory: Vec<u8>,
    file: Option<File>,
    end: u64,
}

impl Sink {
    /// Returns what was written.
    ///
    /// # Errors
    ///
    /// What writing to the temporary file says.
    pub fn finish(self) -> io::Result<Content> {
        let Some(file) = self.file else {
            return Ok(self.memory.into());
        };
        let end = copy_with_holes(&mut self.memory.as_slice(), &file, self.end).map_err(explain)?;
        let range = 0..usize::try_from(end).map_err(io::Error::other)?;
        let place = Rc::new(Place::Open(Rc::new(file), Mapping::new()));
        Ok(Content { place, range })
    }

    /// Moves to the file what is in memory.
    fn put_down(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(tempfile::tempfile().map_err(explain)?),
        };
        let end = copy_with_holes(&mut self.memory.as_slice(), file, self.end);
        self.end = end.map_err(explain)?;
        self.memory.clear();
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = usize::try_from(LARGE).map_err(io::Error::other)? - self.memory.len();
        let len = bytes.len().min(room);
        self.memory.extend_from_slice(&bytes[..len]);
        if len == room {
            self.put_down()?;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
