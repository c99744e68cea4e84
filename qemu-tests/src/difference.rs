// SPDX-License-Identifier: GPL-2.0-only
//! Facts of a stock boot and of a boot from an image, compared: each difference has to be in the guide's list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::report::Section;

/// The guide, and the heading above the list of differences.
const GUIDE: &str = "../Documentation/boot.rst";
const HEADING: &str = "What is different\n=================\n";

/// Limits that follow from the memory that the initrd has left when the kernel starts.
const BY_MEMORY: [&str; 2] = ["limit.Max_processes", "limit.Max_pending_signals"];

/// What was seen in one boot, by keys.
pub type Facts = BTreeMap<String, String>;

/// Returns the facts that an init or a script sent as `see KEY VALUE`.
pub fn facts(section: &Section) -> Facts {
    let lines = section.all("see").into_iter();
    lines
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The guide's list of differences, and which entries a test has met.
pub struct Listed {
    entries: BTreeSet<String>,
    met: BTreeSet<String>,
}

impl Listed {
    /// Reads the terms of the guide's list: they stand in double backquotes, with one `*` for any text.
    ///
    /// # Errors
    ///
    /// If the guide cannot be read, or has no such list.
    pub fn read() -> Result<Self> {
        let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GUIDE))?;
        let (_, section) =
            guide.split_once(HEADING).context("no list of differences in the guide")?;
        let section = section.split("\n====").next().unwrap_or_default();
        let terms = section.lines().filter(|line| line.starts_with("``"));
        let entries =
            terms.flat_map(|line| line.split("``").skip(1).step_by(2).map(str::to_owned)).collect();
        Ok(Self { entries, met: BTreeSet::new() })
    }

    /// Returns the differences that are not in the list.
    pub fn surprises(&mut self, stock: &Facts, ours: &Facts) -> Vec<String> {
        let mut surprises = Vec::new();
        for key in stock.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            let (stock, ours) = (stock.get(key), ours.get(key));
            if stock == ours || BY_MEMORY.contains(&key.as_str()) {
                continue;
            }
            match self.entries.iter().find(|entry| stands_for(entry, key)) {
                Some(entry) => drop(self.met.insert(entry.clone())),
                None => surprises.push(format!("{key}: {stock:?} stock, {ours:?}")),
            }
        }
        surprises
    }

    /// Returns those of certain entries that no comparison has met.
    pub fn unmet(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<&str> {
        let rest = self.entries.difference(&self.met).map(String::as_str);
        rest.filter(|entry| is_wanted(entry)).collect()
    }
}

/// Tells whether an entry of the list stands for a key.
fn stands_for(entry: &str, key: &str) -> bool {
    match entry.split_once('*') {
        Some((start, end)) => {
            key.len() >= start.len() + end.len() && key.starts_with(start) && key.ends_with(end)
        }
        None => entry == key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_surprises_unless_they_are_listed() {
        let entries = ["a.*", "b.*/end", "c"].map(str::to_owned).into();
        let mut listed = Listed { entries, met: BTreeSet::new() };
        let facts = |value: &str| -> Facts {
            let keys = ["a.1", "b.x/end", "b.x", "c", "same"];
            let facts = keys.map(|key| (key.to_owned(), value.to_owned()));
            facts.into()
        };
        let stock = facts("1");
        let mut ours = facts("2");
        ours.insert("same".to_owned(), "1".to_owned());
        assert!(listed.surprises(&stock, &stock).is_empty());
        assert_eq!(listed.unmet(|_| true).len(), 3);
        assert_eq!(listed.surprises(&stock, &ours).len(), 1);
        assert!(listed.unmet(|_| true).is_empty());
        ours.remove("same");
        assert_eq!(listed.surprises(&stock, &ours).len(), 2);
    }
}
