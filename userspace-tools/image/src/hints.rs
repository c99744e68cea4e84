// SPDX-License-Identifier: GPL-2.0-only

//! The file of `mkfs.erofs --compress-hints`: how single files are compressed, by their names.
//!
//! A line is a cluster size and a POSIX extended regular expression, which is compared with the path from the
//! root, without a slash in front. The first line that matches counts. The size 0 leaves a file uncompressed. The
//! number of an algorithm may stand between the two, but `mkfs.erofs` 1.9.4 crashes on it; and what is behind a blank
//! in an expression would be taken for the expression. A line that is no such expression is reported, and the image is
//! made without it.

/// The most bytes that an expression may have. `mkfs.erofs` takes lines of less than `PATH_MAX` + 100
/// bytes (4196) and compares each file with each line, so that few long ones are much faster.
const LONGEST: usize = 4096;

/// The text around the names of a line.
const START: &[u8] = b" ^(";
const END: &[u8] = b")$\n";

/// An expression that a space or a tab matches.
const BLANK: &[u8] = b"[[:blank:]]";

/// Returns lines for the files of these names, each beginning with `size`: a cluster size, and the number of an
/// algorithm if it is not the first.
pub fn lines<'a>(size: &str, paths: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut hints = Vec::new();
    let mut line = Vec::new();
    let mut end = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            hints.extend([size.as_bytes(), START, line, END].concat());
            line.clear();
        }
    };
    for path in paths {
        let name = expression(path);
        if !line.is_empty() && line.len() + 1 + name.len() > LONGEST {
            end(&mut line);
        }
        if !line.is_empty() {
            line.push(b'|');
        }
        line.extend(name);
    }
    end(&mut line);
    hints
}

/// Returns an expression that a name matches, and hardly another one.
fn expression(path: &[u8]) -> Vec<u8> {
    let mut expression = Vec::with_capacity(path.len());
    for byte in path {
        // Room for one byte more, and for the end.
        if expression.len() + BLANK.len() + 2 > LONGEST {
            expression.extend(b".*");
            break;
        }
        match byte {
            // It would end the line.
            b'\n' => expression.push(b'.'),
            b' ' | b'\t' => expression.extend(BLANK),
            b'\\' | b'.' | b'[' | b'(' | b')' | b'{' | b'*' | b'+' | b'?' | b'|' | b'^' | b'$' => {
                expression.extend([b'\\', *byte]);
            }
            _ => expression.push(*byte),
        }
    }
    expression
}
