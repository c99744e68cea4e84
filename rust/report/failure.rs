// SPDX-License-Identifier: GPL-2.0-only

//! The message of a failure on the way to the root: which step, which layer, why.

use kernel::{
    fmt,
    prelude::*, //
};

use crate::{
    initrd::filesystem::Filesystem,
    policy::Refusal, //
};

/// Returns a filesystem's name in a message.
pub(crate) fn title(filesystem: Filesystem) -> &'static str {
    match filesystem {
        Filesystem::Erofs => "EROFS",
        _ => filesystem.name(),
    }
}

/// A step on the way to the root that can fail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// Mounting the tmpfs and making directories in it.
    Tmpfs,
    /// Finding out whether an image is authentic.
    Verify,
    /// Dividing the memory among the segments, and showing them as files.
    Segments,
    /// Unpacking an archive.
    Unpack,
    /// Mounting an image of this filesystem.
    Image(Filesystem),
    /// Mounting the overlay.
    Overlay,
    /// Finding the first program in the new root.
    Init,
    /// Pivoting into the new root.
    Pivot,
}

impl Step {
    /// Makes the failure of this step for this cause.
    pub(crate) fn failed(self, cause: impl Into<Cause>) -> Failure {
        Failure {
            step: self,
            layer: None,
            cause: cause.into(),
        }
    }

    /// Makes the failure of this step for this cause, for layer number `layer`, counted from 0.
    pub(crate) fn failed_at(self, layer: usize, cause: impl Into<Cause>) -> Failure {
        Failure {
            layer: Some(layer),
            ..self.failed(cause)
        }
    }
}

/// The reason why a step failed.
pub(crate) enum Cause {
    /// The error that a kernel function returned.
    Error(Error),
    /// The message of the kernel's unpacker.
    Message(&'static CStr),
    /// The reason why an image is not authentic.
    Refusal(Refusal),
    /// Another number of images than the one that `ro` and `rw` take.
    NotOne(usize),
}

impl From<Refusal> for Cause {
    fn from(refusal: Refusal) -> Self {
        Self::Refusal(refusal)
    }
}

impl<E: Into<Error>> From<E> for Cause {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.write_fmt(fmt!("error {}", error.to_errno())),
            Self::Message(message) => message.fmt(f),
            Self::Refusal(refusal) => refusal.fmt(f),
            Self::NotOne(images) => {
                write!(f, "ro and rw take one image, and there are {images}")
            }
        }
    }
}

/// A failed step, its layer, and the reason.
pub(crate) struct Failure {
    step: Step,
    layer: Option<usize>,
    cause: Cause,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Image(filesystem) => {
                f.write_fmt(fmt!("mounting {}", title(filesystem)))?;
                ""
            }
            Step::Tmpfs => "mounting the tmpfs",
            Step::Verify => "authenticating the image",
            Step::Segments => "preparing the segments",
            Step::Unpack => "unpacking cpio",
            Step::Overlay => "mounting the overlay",
            Step::Init => "finding the first program in the new root",
            Step::Pivot => "pivoting into the new root",
        };
        f.write_str(step)?;
        if let Some(layer) = self.layer {
            write!(f, " (layer {layer})")?;
        }
        f.write_fmt(fmt!(" failed: {}", self.cause))
    }
}
