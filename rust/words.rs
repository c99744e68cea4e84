// SPDX-License-Identifier: GPL-2.0-only

//! Words for messages.

use kernel::fmt;

/// A number of things, with the noun in the right form: "1 image", "2 images".
pub(crate) struct Count(pub(crate) usize, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}
