// SPDX-License-Identifier: GPL-2.0-only

//! Reads a squashfs image into a tree, without mounting it: `unsquashfs` of squashfs-tools takes the files
//! out, and `tar` says what `fakeroot` has it believe about them.

use std::io::{self, Write};
use std::path::Path;
use std::process::Stdio;

use thiserror::Error;

use crate::mkfs::{faked_shell, MkfsError};
use crate::programs::UNSQUASHFS;
use crate::temporary;
use crate::tree::Tree;
use crate::untar::{self, TarError};

/// The oldest version that ends with an error if there was one.
const OLDEST: (u32, u32) = (4, 5);

/// Why an image cannot be read.
#[derive(Debug, Error)]
pub enum SquashfsError {
    /// The programs that read it.
    #[error(transparent)]
    Programs(#[from] MkfsError),
    /// Their tarball cannot be read.
    #[error("the files that unsquashfs took out: {0}")]
    Tarball(#[from] TarError),
    /// A temporary file.
    #[error("a temporary file cannot be used")]
    Temporary(#[from] io::Error),
}

impl SquashfsError {
    /// Returns whether that is no fault of the image's.
    pub fn is_of_this_machine(&self) -> bool {
        match self {
            Self::Programs(error) => matches!(
                error,
                MkfsError::Missing(..) | MkfsError::TooOld(..) | MkfsError::Temporary(_)
            ),
            Self::Temporary(_) => true,
            Self::Tarball(_) => false,
        }
    }
}

/// Takes all files out, and packs them. Files whose modes keep their owner out are given these once more,
/// by `chmod`: fakeroot then lets the owner in, and still shows them.
const SCRIPT: &str = r#"
set -e
image=$1 stage=$2 unsquashfs=$3
"$unsquashfs" -no-progress -quiet -strict-errors -dest "$stage" "$image" > /dev/null
find "$stage" ! -type l ! -perm -0600 -printf '%m\0%p\0' |
	xargs --null --no-run-if-empty --max-args=2 chmod
exec tar --create --format=pax --sort=name --numeric-owner --xattrs '--xattrs-include=*' \
	--directory "$stage" .
"#;

/// Reads all of an image.
///
/// # Errors
///
/// [`SquashfsError`].
pub fn read(image: &[u8]) -> Result<Tree, SquashfsError> {
    let text = UNSQUASHFS.version_text("-version")?;
    UNSQUASHFS.check_version(&text, OLDEST)?;
    let place = temporary::directory()?;
    let file = place.path().join("image");
    std::fs::File::create_new(&file)?.write_all(image)?;
    let bytes = take_out(&file, &place.path().join("tree"))?;
    Ok(untar::read(&bytes)?)
}

/// Returns a tarball of all that is in an image.
fn take_out(image: &Path, stage: &Path) -> Result<Vec<u8>, SquashfsError> {
    let mut command = faked_shell()?;
    command
        .args(["-c", SCRIPT, "sh"])
        .args([image, stage])
        .arg(UNSQUASHFS.place())
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(UNSQUASHFS.wait(UNSQUASHFS.start_in(&mut command)?)?.stdout)
}
