// SPDX-License-Identifier: GPL-2.0-only

//! EROFS images of all layouts, as `mkfs.erofs` makes them.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use initoverlayfs_image::programs::PROGRAMS;

/// Options of `mkfs.erofs`, and whether files may share pieces.
pub const OPTIONS: [(&str, bool); 20] = [
    ("", false),
    ("-Enoinline_data", false),
    ("-b2048", false),
    ("-zlz4", false),
    ("-zlz4hc,12 -C16384", false),
    ("-zlz4hc,12 -C65536 -Eztailpacking", false),
    ("-zlz4hc -C1048576", false),
    ("-zlz4 -Elegacy-compress", false),
    ("-zlz4 -Elegacy-compress -C65536 -Eztailpacking", false),
    ("-zlzma", false),
    ("-zdeflate,1 -C16384", false),
    ("-zzstd,3 -C131072 -Eztailpacking", false),
    ("-zlz4hc -Efragments", true),
    ("-zzstd,3 -C65536 -Eall-fragments", true),
    ("-zlz4 -Ededupe", true),
    ("-zlz4hc -C65536 -Ededupe,fragments", true),
    ("--chunksize=4096", true),
    ("--chunksize=65536", true),
    ("-zlz4 -E48bit", false),
    ("-E48bit --chunksize=8192", true),
];

/// Returns a program, to be run.
pub fn program(name: &str) -> Command {
    let program = PROGRAMS.iter().find(|program| program.name == name);
    program.expect("a program").command()
}

/// Returns bytes that get smaller, by about as much as there are repeats in ten.
fn bytes(len: usize, repeats: u8) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::from(repeats));
    let mut bytes: Vec<u8> = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        if random.u8(..10) < repeats {
            let word = usize::from(random.u8(4..64));
            bytes.resize(bytes.len() + word, b'=');
        } else {
            bytes.extend(std::iter::repeat_with(|| random.u8(..)).take(32));
        }
    }
    bytes.truncate(len);
    bytes
}

/// Returns the places of a file's pieces in an image, in bytes, as `dump.erofs` lists them.
pub fn dumped(image: &Path, path: &str) -> Vec<Range<u64>> {
    let dump = env::var("DUMP_EROFS").unwrap_or_else(|_| "dump.erofs".to_owned());
    let mut dump = Command::new(dump);
    dump.arg(format!("--path=/{path}")).arg("-e").arg(image);
    let output = dump.output().expect("dump.erofs");
    assert!(output.status.success(), "{path}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    // `0: 0.. 20756 | 20756 : 4096.. 20480 | 16384`.
    let range = |line: &str| {
        let (place, _) = line.splitn(3, ':').nth(2)?.split_once('|')?;
        let (start, end) = place.split_once("..")?;
        Some(start.trim().parse().ok()?..end.trim().parse().ok()?)
    };
    let rows = text.lines().filter(|line| line.matches('|').count() == 2);
    rows.filter_map(range).collect()
}

/// Makes files of many lengths; returns their contents' lengths by their names.
pub fn files(place: &Path) -> BTreeMap<String, u64> {
    let mut files = vec![
        ("empty".to_owned(), Vec::new()),
        ("noise".to_owned(), bytes(300_000, 0)),
        (
            "half".to_owned(),
            [bytes(200_000, 9), bytes(200_000, 0), bytes(9_999, 9)].concat(),
        ),
        ("d/large".to_owned(), bytes(1 << 20, 6)),
        ("d/again".to_owned(), bytes(1 << 20, 6)),
        ("d/nul".to_owned(), vec![0; 500_000]),
    ];
    for len in [1, 100, 4095, 4096, 4097, 8191, 8192, 12_345, 65_536, 70_001] {
        files.push((format!("d/{len}"), bytes(len, 8)));
    }
    for number in 0..10 {
        files.push((
            format!("d/e/{number}"),
            bytes(5_000 + 3_977 * number, number as u8),
        ));
    }
    for (name, content) in &files {
        let path = place.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, content).expect("a file");
    }
    fs::hard_link(place.join("half"), place.join("hard")).expect("a link");
    let lens = files
        .into_iter()
        .map(|(name, content)| (name, content.len() as u64));
    lens.collect()
}

/// Returns an image; nothing if this `mkfs.erofs` does not have one of the options.
pub fn image(place: &Path, options: &str) -> Option<Vec<u8>> {
    let image = place.join("image");
    let output = program("mkfs.erofs")
        .args(["--quiet", "-T0"])
        .args(options.split_whitespace())
        .arg(&image)
        .arg(place.join("tree"))
        .output();
    let output = output.expect("mkfs.erofs");
    output
        .status
        .success()
        .then(|| fs::read(&image).expect("an image"))
}

/// Makes an image with each of the options that this `mkfs.erofs` has. Returns each with its options, and whether files
/// may share pieces. The file has the last one that was returned.
pub fn images(place: &Path) -> impl Iterator<Item = (&'static str, bool, Vec<u8>)> + '_ {
    OPTIONS.into_iter().filter_map(move |(options, is_shared)| {
        let image = image(place, options);
        if image.is_none() {
            eprintln!("skipped: mkfs.erofs has no {options}");
        }
        Some((options, is_shared, image?))
    })
}
