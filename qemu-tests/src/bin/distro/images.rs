// SPDX-License-Identifier: GPL-2.0-only
//! The images that the command makes of an initramfs, each of them once: the smallest take minutes.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use qemu_tests::fixtures::command::convert;

use crate::results::Converted;

/// Options of `initoverlayfs convert`.
pub type Convert = &'static [&'static str];

/// An initramfs, and its images so far.
pub struct Images<'a> {
    initramfs: &'a Path,
    made: Vec<(Convert, Vec<u8>, f64)>,
}

impl<'a> Images<'a> {
    /// Returns those of an initramfs, of which none is made yet.
    pub fn of(initramfs: &'a Path) -> Self {
        Self { initramfs, made: Vec::new() }
    }

    /// Returns the image by these options, and the seconds that the host needed for it.
    fn made(&mut self, options: Convert) -> Result<(&[u8], f64)> {
        let known = self.made.iter().position(|(known, ..)| *known == options);
        let at = match known {
            Some(at) => at,
            None => {
                let start = Instant::now();
                let image = convert(self.initramfs, options)?;
                self.made.push((options, image, start.elapsed().as_secs_f64()));
                self.made.len() - 1
            }
        };
        let (_, image, seconds) = &self.made[at];
        Ok((image, *seconds))
    }

    /// Returns the image by these options.
    pub fn image(&mut self, options: Convert) -> Result<Vec<u8>> {
        Ok(self.made(options)?.0.to_vec())
    }

    /// Returns what it costs to make the image by these options.
    pub fn cost(&mut self, options: Convert) -> Result<Converted> {
        let (image, seconds) = self.made(options)?;
        Ok(Converted { bytes: image.len().try_into()?, seconds })
    }
}
