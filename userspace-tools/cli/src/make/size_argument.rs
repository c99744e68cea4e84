// SPDX-License-Identifier: GPL-2.0-only

//! Sizes on the command line.

use std::fmt;
use std::str::FromStr;

/// The letters that may stand behind a number, and the bits by which each shifts the number.
const SUFFIXES: [(char, u32); 3] = [('K', 10), ('M', 20), ('G', 30)];

/// A number of bytes: `65536`, or `64K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u32);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let last = text.chars().last().map(|last| last.to_ascii_uppercase());
        let suffix = SUFFIXES.iter().find(|(name, _)| Some(*name) == last);
        let (digits, shift) = match suffix {
            // A suffix is one byte.
            Some((_, shift)) => (&text[..text.len() - 1], *shift),
            None => (text, 0),
        };
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err("a number of bytes is wanted; K, M or G behind it mean 1024 each".into());
        }
        let number = digits.parse::<u32>().ok();
        let bytes = number.and_then(|number| number.checked_mul(1 << shift));
        let bytes = bytes.ok_or_else(|| format!("it is more than {} bytes", u32::MAX));
        bytes.map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |shift: u32| self.0 != 0 && self.0 % (1 << shift) == 0;
        match SUFFIXES.iter().rev().find(|(_, shift)| fits(*shift)) {
            Some((suffix, shift)) => write!(f, "{}{suffix}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn suffixes_stand_for_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64K", 65_536),
            ("64k", 65_536),
            ("1M", 1 << 20),
            ("3G", 3 << 30),
            ("4294967295", u32::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in [
            "", "K", "-1", "+1", "1.5M", "64KiB", "64 K", "1KK", "\u{e4}", "4G", "4194304K",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        for shown in ["0", "1", "4K", "1000", "16K", "1M", "1025K", "2G"] {
            let size: Size = shown.parse().expect(shown);
            assert_eq!(size.to_string(), shown);
        }
    }
}
