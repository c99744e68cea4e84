// SPDX-License-Identifier: GPL-2.0-only
//! What the probe sent over the result channel.

use anyhow::{bail, ensure, Context, Result};

/// A complete report: one section for each init that ran, in order.
#[derive(Clone, Debug)]
pub struct Report {
    sections: Vec<Section>,
}

/// The facts that one init sent.
#[derive(Clone, Debug, Default)]
pub struct Section {
    facts: Vec<(String, String)>,
}

impl Report {
    /// Reads a report; an error if it is not complete with a good verdict as its last line.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let text = String::from_utf8_lossy(bytes);
        ensure!(!text.is_empty(), "the guest sent no report: the probe did not start");
        ensure!(text.ends_with('\n'), "the report breaks off within a line");
        let mut sections: Vec<Section> = Vec::new();
        let mut verdict = None;
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            ensure!(verdict.is_none(), "the report goes on after its verdict: {line}");
            match (key, sections.last_mut()) {
                ("end", _) => verdict = Some(value.to_owned()),
                ("stage", _) => sections.push(Section::default()),
                (_, None) => bail!("the report starts with {line:?} instead of a stage"),
                (_, Some(_)) => {}
            }
            if let Some(section) = sections.last_mut() {
                section.facts.push((key.to_owned(), value.to_owned()));
            }
        }
        match verdict.as_deref() {
            Some("ok") => Ok(Self { sections }),
            Some(other) => bail!("the probe ended with {other:?}"),
            None => bail!("the report has no verdict; its last line: {:?}", text.lines().last()),
        }
    }

    /// Returns what was sent at a stage.
    pub fn stage(&self, name: &str) -> Result<&Section> {
        let found = self.sections.iter().find(|section| section.all("stage") == [name]);
        found.with_context(|| format!("the report has no stage {name:?}"))
    }

    /// Returns what each init sent, in order.
    pub fn all(&self) -> &[Section] {
        &self.sections
    }

    /// Returns what the first init sent: the one of the initrd, if the boot had one.
    pub fn first(&self) -> Result<&Section> {
        self.sections.first().context("the report has no section")
    }

    /// Returns what the last init sent: the one of the disk after a switch of root.
    pub fn last(&self) -> Result<&Section> {
        self.sections.last().context("the report has no section")
    }
}

impl Section {
    /// Returns the last value sent for a key.
    pub fn get(&self, key: &str) -> Result<&str> {
        self.all(key).last().copied().with_context(|| format!("the report has no {key}"))
    }

    /// All values sent for a key, in order.
    pub fn all(&self, key: &str) -> Vec<&str> {
        self.facts.iter().filter(|(k, _)| k == key).map(|(_, value)| value.as_str()).collect()
    }

    /// Returns a value that is a number.
    pub fn number(&self, key: &str) -> Result<u64> {
        let value = self.get(key)?;
        value.parse().with_context(|| format!("{key} is {value:?}, not a number"))
    }

    /// Free memory in kB that a process can have: the kernel's estimate, and the free pages on per-CPU
    /// lists, which it leaves out.
    pub fn available_kb(&self) -> Result<u64> {
        Ok(self.number("memory.MemAvailable")? + self.number("memory.PerCpuFree")?)
    }

    /// Returns the module's lines in the kernel log, without level and prefix.
    pub fn module_lines(&self) -> Vec<&str> {
        self.all("kmsg").into_iter().filter_map(|line| line.split_once(": ")).map(|l| l.1).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_needs_a_good_verdict_at_its_end() {
        assert!(Report::parse(b"").is_err());
        assert!(Report::parse(b"stage initrd\npid 1\n").is_err());
        assert!(Report::parse(b"stage initrd\nend ok").is_err());
        assert!(Report::parse(b"stage initrd\nend error: no\n").is_err());
        assert!(Report::parse(b"stage initrd\nend ok\npid 1\n").is_err());
        assert!(Report::parse(b"pid 1\nend ok\n").is_err());
        assert!(Report::parse(b"stage initrd\npid 1\nend ok\n").is_ok());
    }

    #[test]
    fn each_init_has_its_section() -> Result<()> {
        let report = Report::parse(b"stage initrd\nn 1\nn 2\nstage disk\nn 3\nend ok\n")?;
        assert_eq!(report.first()?.all("n"), ["1", "2"]);
        assert_eq!(report.last()?.number("n")?, 3);
        Ok(())
    }
}
