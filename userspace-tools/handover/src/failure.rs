// SPDX-License-Identifier: GPL-2.0-only

//! Messages, from parts that are there already.

use core::ffi::CStr;
use core::fmt::{self, Write};

use rustix::io::Errno;
use rustix::stdio::stderr;

/// A reason to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    /// The file or the word that it is about; empty if there is none.
    subject: &'a [u8],
    /// The reason; with `errno`, what was tried.
    reason: &'a str,
    errno: Option<Errno>,
}

impl<'a> Failure<'a> {
    /// Returns that a file could not be used.
    pub fn of(path: &'a CStr, errno: Errno) -> Self {
        Self {
            subject: path.to_bytes(),
            reason: "",
            errno: Some(errno),
        }
    }

    /// Returns that a step failed.
    pub fn at(reason: &'a str, errno: Errno) -> Self {
        Self {
            subject: b"",
            reason,
            errno: Some(errno),
        }
    }

    /// Returns what is wrong with a file or a word.
    pub const fn because(subject: &'a [u8], reason: &'a str) -> Self {
        Self {
            subject,
            reason,
            errno: None,
        }
    }

    /// Writes it to the standard error.
    pub fn say(self) {
        let mut number = Line::default();
        let errno = match self.errno.map(|errno| (errno, text(errno))) {
            None => b"",
            Some((_, Some(words))) => words.as_bytes(),
            Some((errno, None)) => {
                // It has room for any number.
                let _ = write!(number, "error {}", errno.raw_os_error());
                number.text()
            }
        };
        let parts = [self.subject, self.reason.as_bytes(), errno];
        let mut parts = parts.into_iter().filter(|part| !part.is_empty());
        put(NAME);
        put(parts.next().unwrap_or_default());
        for part in parts {
            put(b": ");
            put(part);
        }
        put(b"\n");
    }
}

/// The name is how the command recognises this program in an image.
const NAME: &[u8] = b"initoverlayfs-handover: ";

/// Writes a line to the standard error.
pub fn say(text: &[u8]) {
    for part in [NAME, text, b"\n"] {
        put(part);
    }
}

/// Writes a part of a line; if that cannot be done, nobody can be told.
#[expect(
    unsafe_code,
    reason = "without the standard library, nobody vouches for the stream"
)]
fn put(part: &[u8]) {
    // SAFETY: Nothing in this program closes it.
    let stderr = unsafe { stderr() };
    let _ = rustix::io::write(stderr, part);
}

/// Returns the words for the errors that this program meets.
fn text(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NOENT => "no such file or directory",
        Errno::NOTDIR => "not a directory",
        Errno::ACCESS => "permission denied",
        Errno::PERM => "operation not permitted",
        Errno::LOOP => "too many links",
        Errno::INVAL => "not possible here (EINVAL)",
        Errno::BUSY => "in use",
        Errno::NOEXEC => "no program for this machine",
        Errno::NOMEM => "out of memory",
        Errno::NXIO | Errno::NODEV => "no such device",
        Errno::IO => "cannot be read or written (EIO)",
        Errno::TOOBIG => "too many arguments",
        _ => return None,
    })
}

/// A line of text that needs no memory from the system.
#[derive(Default)]
pub struct Line {
    bytes: [u8; 32],
    length: usize,
}

impl Line {
    /// Returns what was written.
    pub fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
