// SPDX-License-Identifier: GPL-2.0-only

//! README and Documentation/: their commands work, what they print is what is shown, their links lead somewhere.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::examples::{machine, run};
use common::{file, newc, node, noise, text, Entry, Place};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the documents and their texts, by their names from the project's root.
fn documents() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for directory in [".", "Documentation"] {
        for entry in fs::read_dir(root().join(directory)).expect("a directory") {
            let name = entry.expect("an entry").file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".md") || name.ends_with(".rst") {
                let name = format!("{directory}/{name}").replace("./", "");
                let text = fs::read_to_string(root().join(&name)).expect("text");
                found.insert(name, text);
            }
        }
    }
    assert!(found.len() > 10, "{:?}", found.keys());
    found
}

/// Returns the lines of a document that are shown as they are: in Markdown what is indented, in reStructuredText what
/// is indented behind `::`.
fn literal_lines(text: &str) -> Vec<&str> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_markdown = !text.starts_with("..");
    let mut found = Vec::new();
    let mut outer = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if is_markdown || outer.is_some_and(|outer| indent(line) > outer) {
            found.extend(line.strip_prefix("    "));
            continue;
        }
        outer = line.ends_with("::").then(|| indent(line));
    }
    found
}

/// Returns the commands that start with a program, without the prompt in front of them.
fn commands<'a>(text: &'a str, program: &str) -> Vec<&'a str> {
    literal_lines(text)
        .into_iter()
        .map(|line| line.trim_start())
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .filter(|line| line.starts_with(program))
        .collect()
}

/// Adds to the machine of the manual pages what the documents speak of besides.
fn place() -> Place {
    let place = machine(false);
    // Too large to be left uncompressed, and partly not to be compressed.
    let shell = [vec![b's'; 5 << 20], noise(1 << 20)].concat();
    let module = noise(4 << 20);
    let (first, second) = (text("first"), text("second"));
    let entries = [
        Entry {
            mode: 0o100_755,
            ..file("init", b"#!/bin/sh\n")
        },
        node("bin", 0o040_755),
        Entry {
            mode: 0o100_755,
            ..file("bin/sh", &shell)
        },
        node("lib", 0o040_755),
        node("lib/modules", 0o040_755),
        file("lib/modules/module.ko.xz", &module),
        node("usr", 0o040_755),
        node("usr/share", 0o040_755),
        file("usr/share/a", &first),
        file("usr/share/b", &second),
        file("bin/kmod", &[b'a'; 100_000]),
    ];
    let archive = newc(&entries);
    for name in ["initramfs.img", "mkosi.img", "INITRAMFS"] {
        place.write(name, &archive);
    }
    for name in ["tree/init", "mkosi.output/initrd/init"] {
        place.write(name, "#!/bin/sh\n");
    }
    place.write("certificate.pem", place.read("cert.pem"));
    place.write("file_contexts", "/.*	system_u:object_r:default_t\n");
    let config = "INITOVERLAYFS EROFS_FS OVERLAY_FS EROFS_FS_ZIP EROFS_FS_ZIP_ZSTD".split(' ');
    let config = config.map(|option| format!("CONFIG_{option}=y\n"));
    place.write("linux/.config", config.collect::<String>());
    place
}

/// Puts the test's own files in the place of those that a document names.
fn here(line: &str) -> String {
    line.replace("curl https://example.com/initrd.img", "cat initramfs.img")
        .replace("ssh host 'cat > initrd.img'", "cat > initrd.img")
        .replace("/path/to/linux", "linux")
        .replace("/etc/selinux/default/contexts/files/", "")
        .replace("SOURCE...", "tree")
        .replace("\"$image", "\"initramfs.img")
}

/// Returns text whose numbers, digests and columns do not count.
fn masked(text: &str) -> String {
    let is_number = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word
                .chars()
                .all(|c| c.is_ascii_hexdigit() || "x.".contains(c))
    };
    let word = |word: &str| -> String {
        if let Some((algorithm, _)) = word.split_once("sha256:") {
            return format!("{algorithm}sha256:#");
        }
        let bare = word.trim_matches(|c: char| "(),%".contains(c));
        match bare {
            "bytes" | "KiB" | "MiB" | "GiB" => word.replace(bare, "B"),
            _ if is_number(bare) => word.replace(bare, "#"),
            _ => word.to_owned(),
        }
    };
    let line = |line: &str| {
        line.split_whitespace()
            .map(word)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn commands_work() {
    let mut count = 0;
    for (name, text) in documents() {
        let place = place();
        let first = ["initoverlayfs ", "curl "].map(|program| commands(&text, program));
        for line in first.concat() {
            // Of this system, only its shape can be compared: see below. Its boots are recorded in recorded.rs.
            if line == "initoverlayfs status" || line.contains(" --record ") {
                continue;
            }
            let result = line
                .split(" -o ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next());
            if let Some(result) = result.filter(|_| !line.contains("--force")) {
                let _ = fs::remove_file(place.path(result));
            }
            let ended = run(&place, &here(line));
            assert_eq!(
                ended.status, 0,
                "{name}: {line}: {}{}",
                ended.out, ended.err
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count} commands");
}

#[test]
fn commands_print_what_is_shown() {
    let text = fs::read_to_string(root().join("README.md")).expect("text");
    let place = place();
    let mut shown: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("    $ "), line.strip_prefix("    ")) {
            (Some(command), _) => shown.push((command.to_owned(), String::new())),
            (_, Some(output)) if !shown.is_empty() => {
                let (_, all) = shown.last_mut().expect("a command");
                all.push_str(output);
                all.push('\n');
            }
            _ => {}
        }
    }
    let mut count = 0;
    // mkfs.erofs 1.9.4 cannot: it says so, and makes another image than is shown.
    let mut can_mix = true;
    for (command, output) in shown {
        if !command.starts_with("initoverlayfs ") || output.is_empty() {
            continue;
        }
        let line = match command.as_str() {
            "initoverlayfs status" => {
                system_of_the_readme(&place);
                "initoverlayfs status --root root"
            }
            other => other,
        };
        // Commands before this one, without output, made its file.
        if command.contains("sealed.img") {
            run(
                &place,
                "initoverlayfs convert initramfs.img -o sealed.img --seal --quiet",
            );
        }
        if line.contains("-o initrd.img") {
            fs::remove_file(place.path("initrd.img")).expect("it is there");
        }
        let ended = run(&place, &here(line));
        let mut printed = (ended.out + &ended.err).replace("(root/", "(/");
        let mut output = output;
        if let Some(at) = printed.find("  this mkfs.erofs can use") {
            let end = at + printed[at..].find('\n').expect("a line") + 1;
            printed.replace_range(at..end, "");
            can_mix = false;
        }
        if !can_mix && !command.ends_with(" status") {
            output = without_zstd(&output);
        }
        assert_eq!(masked(&printed), masked(output.trim_end()), "{command}");
        count += 1;
    }
    assert!(count > 4, "{count} commands");
}

/// Returns what is printed of an image that has lz4 only.
fn without_zstd(output: &str) -> String {
    let lines = output.lines().filter(|line| !line.contains("seldom read"));
    let line = |line: &str| {
        let line = line.replace(", quick to read", "");
        let parts = line.split(", ").filter(|part| !part.ends_with("zstd"));
        parts.collect::<Vec<_>>().join(", ") + "\n"
    };
    lines.map(line).collect()
}

/// Makes the system that README shows the status of.
fn system_of_the_readme(place: &Place) {
    let options =
        "INITOVERLAYFS EROFS_FS OVERLAY_FS EROFS_FS_ZIP EROFS_FS_ZIP_ZSTD EROFS_FS_ZIP_DEFLATE \
                   EROFS_FS_ZIP_LZMA EROFS_FS_XATTR INITOVERLAYFS_BLOCK BTRFS_FS SQUASHFS EXT4_FS \
                   INITOVERLAYFS_SIGNATURES";
    let config = options
        .split_whitespace()
        .map(|option| format!("CONFIG_{option}=y\n"));
    place.write("root/boot/config-7.3.4", config.collect::<String>());
    place.write("root/proc/sys/kernel/osrelease", "7.3.4\n");
    place.write(
        "root/boot/initrd.img-6.12-other",
        place.read("initramfs.img"),
    );
    place.succeed("convert initramfs.img -o root/boot/initrd.img-7.3.4");
    place.write("root/usr/libexec/initoverlayfs/convert-hook", "");
    let debugfs = "root/sys/kernel/debug/initoverlayfs";
    place.write(&format!("{debugfs}/layers"), "0 erofs 4096 0 1 1 1\n");
    place.write(&format!("{debugfs}/phases"), "claim 1500\nmount 500\n");
}

#[test]
fn targets_and_scripts_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("text");
    let phony = makefile
        .lines()
        .filter_map(|line| line.strip_prefix(".PHONY: "));
    let targets: Vec<&str> = phony.flat_map(|line| line.split(' ')).collect();
    let mut count = 0;
    for (name, text) in documents() {
        for line in commands(&text, "make ") {
            let line = line.split('#').next().unwrap_or_default();
            let words = line.split_whitespace().skip(1);
            for target in
                words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
            {
                assert!(
                    targets.contains(&target),
                    "{name}: {line}: no target {target}"
                );
                count += 1;
            }
        }
        for line in commands(&text, "scripts/") {
            let script = line.split(' ').next().expect("a word");
            assert!(root().join(script).is_file(), "{name}: {line}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} commands");
}

/// Returns the headings of a document, as the names that links to them have.
fn anchors(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2);
    let underlined = pairs.filter(|pair| {
        let marks = pair[1].trim_end();
        marks.len() >= 3 && marks.chars().all(|c| c == '=' || c == '-')
    });
    let headings = lines.iter().filter_map(|line| line.strip_prefix('#'));
    let all = underlined.map(|pair| pair[0]).chain(headings);
    all.map(|heading| {
        heading
            .trim_matches(['#', ' '])
            .to_lowercase()
            .replace(' ', "-")
    })
    .collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    let mut count = 0;
    for (name, text) in &documents {
        let directory = Path::new(name).parent().expect("a directory");
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            assert!(root().join(directory).join(file).exists(), "{name}: {link}");
            let target = documents.get(file);
            let is_there = |anchor| target.is_some_and(|text| anchors(text).contains(&anchor));
            assert!(
                anchor.is_empty() || is_there(anchor.to_owned()),
                "{name}: {link}"
            );
            count += 1;
        }
        // As in: see boot.rst, "Statistics".
        for (at, _) in text.match_indices(".rst, \"") {
            let file = text[..at].rsplit([' ', '(', '\n']).next().expect("a name");
            let heading = text[at + 7..].split('"').next().expect("a heading");
            let target = documents.get(&format!("Documentation/{file}.rst"));
            let heading = heading.to_lowercase().replace([' ', '\n'], "-");
            let is_there = target.is_some_and(|text| anchors(text).contains(&heading));
            assert!(is_there, "{name}: {file}.rst, {heading:?}");
            count += 1;
        }
    }
    assert!(count > 15, "{count} links");
}
