// SPDX-License-Identifier: GPL-2.0-only

//! Messages: progress on long work, and names, numbers and sizes as text.

use std::fmt::Write as _;
use std::time::Duration;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// Shows that something goes on, on a terminal; elsewhere it is silent.
pub fn progress(quiet: bool) -> ProgressBar {
    let bar = if quiet {
        ProgressBar::hidden()
    } else {
        ProgressBar::new_spinner()
    };
    bar.enable_steady_tick(Duration::from_millis(120));
    show(&bar, "");
    bar
}

/// Shows what is being done, and for how long.
pub fn show(bar: &ProgressBar, what: &str) {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.unset_length();
    bar.set_message(what.to_owned());
}

/// Shows how many bytes of how many are done, with the rate and the time that is left.
pub fn show_bytes(bar: &ProgressBar, done: u64, total: u64) {
    const TEMPLATE: &str = "{spinner} {msg} {wide_bar} {percent} %, {bytes_per_sec}, {eta} left";
    if bar.length() != Some(total) {
        let style = ProgressStyle::with_template(TEMPLATE);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_length(total);
        bar.reset_eta();
    }
    bar.set_position(done);
}

/// Returns a path as text, with what is no text escaped.
pub fn shown(path: &[u8]) -> String {
    let mut text = String::new();
    for chunk in path.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Returns a number of things, with the noun in the right form: "1 image", "2 images".
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Compares two sizes.
pub fn sizes(old: u64, new: u64) -> String {
    let percent = (new * 100).checked_div(old).unwrap_or_default();
    format!("{} -> {} ({percent} %)", HumanBytes(old), HumanBytes(new))
}

/// Says what is not in the image, if anything.
pub fn left_out(what: &str, paths: &[Vec<u8>]) {
    const MOST: usize = 5;
    for path in paths.iter().take(MOST) {
        eprintln!("  {what}: {}", shown(path));
    }
    if paths.len() > MOST {
        eprintln!("  {what}: {} more", paths.len() - MOST);
    }
}

/// Returns a message without the numbers of the system's errors, which the words before them say.
pub fn plain(message: &str) -> String {
    const MARK: &str = " (os error ";
    let mut out = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once(MARK) {
        out += before;
        let number = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        rest = &after[number..];
        match rest.strip_prefix(')') {
            Some(behind) => rest = behind,
            None => out += &format!("{MARK}{}", &after[..number]),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_no_error_numbers() {
        let message = "a: No such file (os error 2): install b (os error 13)";
        assert_eq!(plain(message), "a: No such file: install b");
        assert_eq!(plain("x (os error y"), "x (os error y");
    }
}
