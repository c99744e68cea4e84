// SPDX-License-Identifier: GPL-2.0-only
//! The kernel's functions, as `System.map` lists them.

use std::collections::BTreeMap;

use anyhow::{ensure, Context, Result};
use rustc_demangle::demangle;

/// Returns the functions of a `System.map`, as the plugin reads them: one a line, address and name, by address. Rust's
/// names are as the source has them.
pub fn for_plugin(system_map: &str) -> Result<String> {
    let mut functions: BTreeMap<u64, &str> = BTreeMap::new();
    for line in system_map.lines() {
        let mut words = line.split(' ');
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        // Code, but for the padding in front of functions.
        if !matches!(kind, "t" | "T" | "w" | "W") || name.starts_with("__pfx_") {
            continue;
        }
        let address = u64::from_str_radix(address, 16)
            .with_context(|| format!("System.map has a line `{line}`"))?;
        let known = functions.entry(address).or_insert(name);
        if label(name) < label(known) {
            *known = name;
        }
    }
    ensure!(!functions.is_empty(), "System.map lists no functions");
    let line = |(address, name): (&u64, &&str)| format!("{address:x} {}\n", readable(name));
    Ok(functions.iter().map(line).collect())
}

/// Returns how much a name looks like a label, which may stand where a function begins: the end of something else, or
/// a linker's.
fn label(name: &str) -> (bool, usize) {
    (name.ends_with("_end"), name.chars().take_while(|&c| c == '_').count())
}

/// Returns a name without mangling, and without what separates names in a stack.
fn readable(name: &str) -> String {
    format!("{:#}", demangle(name)).replace(';', ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_only_and_one_name_each() {
        let map = "\
            0000000000001000 D data\n\
            ffffffff81000000 T _stext\n\
            ffffffff81000000 t first\n\
            ffffffff81000030 t __pfx_second\n\
            ffffffff81000040 T first_end\n\
            ffffffff81000040 T second\n\
            ffffffff81000050 t _RNvCsgiGRPz3YRMR_13initoverlayfs14panic_required\n";
        let expected = "ffffffff81000000 first\n\
            ffffffff81000040 second\n\
            ffffffff81000050 initoverlayfs::panic_required\n";
        assert_eq!(for_plugin(map).ok().as_deref(), Some(expected));
        assert!(for_plugin("").is_err());
    }
}
