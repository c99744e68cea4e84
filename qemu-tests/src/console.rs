// SPDX-License-Identifier: GPL-2.0-only
//! The guest's console log.

use std::fmt;

/// What the kernel prints when something went wrong that it may well survive.
const FAULTS: [&str; 14] = [
    "Kernel panic",
    "BUG:",
    "Oops",
    "WARNING:",
    "Call Trace",
    "general protection",
    "KASAN",
    "UBSAN",
    "kernel BUG at",
    "detected stall",
    "soft lockup",
    "blocked for more than",
    "Bad page state",
    "bad pmd",
];

/// What stands up to two lines in front of a call trace that is no fault: for want of memory, a cache or
/// a mapping could not be made, which the kernel tells in that way and survives.
const NO_MEMORY: [&str; 2] = ["__kmem_cache_create_args(", " vmalloc error: size "];

/// Lines shown of a failed boot.
const TAIL_LINES: usize = 60;

/// A console log; displayed, it is the log's last lines.
#[derive(Clone, Debug)]
pub struct Console(String);

impl Console {
    /// Takes the raw bytes of the serial port.
    pub fn new(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).replace('\r', ""))
    }

    /// Returns the whole log.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Returns whether `text` occurs.
    pub fn has(&self, text: &str) -> bool {
        self.0.contains(text)
    }

    /// Returns the stock kernel's line about an archive that it has unpacked in part only. A kernel that knows ramdisks
    /// takes such an initrd for one.
    pub fn unpacking_error(&self) -> Option<&str> {
        const WORDS: [&str; 2] = ["Initramfs unpacking failed", "rootfs image is not initramfs"];
        self.0.lines().find(|line| WORDS.iter().any(|words| line.contains(words)))
    }

    /// Lines with signs of a kernel fault.
    pub fn faults(&self) -> Vec<&str> {
        let lines: Vec<&str> = self.0.lines().collect();
        // A program's own trap is none of the kernel's.
        let is_fault = |line: &&str| {
            !line.contains("] traps: ") && FAULTS.iter().any(|fault| line.contains(fault))
        };
        let is_told = |at: usize| {
            lines[at.saturating_sub(2)..at]
                .iter()
                .any(|l| NO_MEMORY.iter().any(|text| l.contains(text)))
        };
        let found = lines
            .iter()
            .enumerate()
            .filter(|(at, line)| is_fault(line) && !(line.contains("Call Trace") && is_told(*at)));
        found.map(|(_, line)| *line).collect()
    }

    /// Returns what was printed before the kernel panicked, if it did.
    pub fn before_panic(&self) -> Self {
        let lines = self.0.split_inclusive('\n');
        Self(lines.take_while(|line| !line.contains("Kernel panic")).collect())
    }

    /// Returns the panic's line, if the kernel panicked.
    pub fn panic(&self) -> Option<&str> {
        self.0.lines().find(|line| line.contains("Kernel panic"))
    }
}

impl fmt::Display for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<&str> = self.0.lines().collect();
        let skipped = lines.len().saturating_sub(TAIL_LINES);
        writeln!(f, "--- console, after {skipped} lines ---")?;
        for line in lines.iter().skip(skipped) {
            writeln!(f, "{line}")?;
        }
        write!(f, "--- end of console ---")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_found_with_their_line() {
        let console = Console::new(b"fine\r\n[ 1.0] WARNING: CPU: 0 at mm/x.c:1\r\nfine\r\n");
        assert_eq!(console.faults(), ["[ 1.0] WARNING: CPU: 0 at mm/x.c:1"]);
        assert_eq!(console.panic(), None);
    }

    #[test]
    fn only_the_trace_of_a_cache_that_failed_is_no_fault() {
        let told = "[ 1.0] __kmem_cache_create_args(x) failed with error -12\n[ 1.0] CPU: 0\n";
        let trace = "[ 1.0] Call Trace:\n";
        let console = Console::new(format!("{told}{trace}").as_bytes());
        assert_eq!(console.faults(), [""; 0]);
        let console = Console::new(format!("{told}{trace}[ 1.0] x\n{trace}").as_bytes());
        assert_eq!(console.faults(), [trace.trim()]);
    }

    #[test]
    fn only_the_tail_is_displayed() {
        let console = Console::new("first\n".repeat(TAIL_LINES + 7).as_bytes());
        assert_eq!(console.to_string().lines().count(), TAIL_LINES + 2);
        assert!(console.to_string().starts_with("--- console, after 7 lines ---"));
    }
}
