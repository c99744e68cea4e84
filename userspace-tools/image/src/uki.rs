// SPDX-License-Identifier: GPL-2.0-only

//! Unified kernel images: PE files for the firmware to start, with the initrd in a section of its own
//! (<https://uapi-group.org/specifications/specs/unified_kernel_image/>).

use std::ops::Range;

use object::pe::{
    ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64, IMAGE_NT_OPTIONAL_HDR32_MAGIC,
};
use object::read::pe::{optional_header_magic, ImageNtHeaders};
use thiserror::Error;

/// The name of the section, padded as its header is.
const SECTION: &[u8; 8] = b".initrd\0";

/// Why there is no initrd in a PE file.
#[derive(Debug, Error)]
pub enum UkiError {
    /// The headers lead nowhere.
    #[error("it starts as a PE file, as unified kernel images are, and is damaged: {0}")]
    Damaged(#[from] object::Error),
    /// A kernel alone, or a program.
    #[error("it is a PE file without a section .initrd: no unified kernel image with an initrd")]
    NoInitrd,
    /// There are several: the boot menu decides.
    #[error("it has {0} sections .initrd: take one of them out (objcopy)")]
    Several(usize),
}

/// Returns where the initrd is in a file: all of it, unless it is a PE file.
///
/// # Errors
///
/// [`UkiError`].
pub fn initrd(bytes: &[u8]) -> Result<Range<usize>, UkiError> {
    let mut found = initrds(bytes)?;
    match (found.pop(), found.len()) {
        (None, _) => Err(UkiError::NoInitrd),
        (Some(range), 0) => Ok(range),
        (Some(_), others) => Err(UkiError::Several(others + 1)),
    }
}

/// Returns where the initrds are in a file, at least one: a unified kernel image may have one for each of its
/// profiles, among which the boot menu chooses.
///
/// # Errors
///
/// [`UkiError::Damaged`] and [`UkiError::NoInitrd`].
pub fn initrds(bytes: &[u8]) -> Result<Vec<Range<usize>>, UkiError> {
    if !bytes.starts_with(b"MZ") {
        return Ok(std::iter::once(0..bytes.len()).collect());
    }
    let found = match optional_header_magic(bytes)? {
        IMAGE_NT_OPTIONAL_HDR32_MAGIC => sections::<ImageNtHeaders32>(bytes)?,
        _ => sections::<ImageNtHeaders64>(bytes)?,
    };
    if found.is_empty() {
        return Err(UkiError::NoInitrd);
    }
    Ok(found)
}

/// Returns where sections of that name are, without the padding at their end.
fn sections<Headers: ImageNtHeaders>(bytes: &[u8]) -> Result<Vec<Range<usize>>, object::Error> {
    let mut offset = ImageDosHeader::parse(bytes)?.nt_headers_offset().into();
    let (headers, _) = Headers::parse(bytes, &mut offset)?;
    let mut found = Vec::new();
    for section in headers.sections(bytes, offset)?.iter() {
        if section.name == *SECTION {
            let start = usize::try_from(section.pe_file_range().0).unwrap_or(usize::MAX);
            // Checked to be within the file.
            let data = section.pe_data(bytes)?;
            found.push(start..start.saturating_add(data.len()));
        }
    }
    Ok(found)
}
