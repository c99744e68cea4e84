// SPDX-License-Identifier: GPL-2.0-only
//! SELinux and IMA on the initial root. They need a kernel that has them: `make test-lsm`.

use std::fs;

use anyhow::{bail, ensure, Context, Result};
use qemu_tests::console::Console;
use qemu_tests::fixtures::archive::{newc, Style};
use qemu_tests::fixtures::command;
use qemu_tests::fixtures::layer::{Body, Layer};
use qemu_tests::fixtures::stack::base;
use qemu_tests::machine::Machine;
use qemu_tests::report::{Report, Section};
use qemu_tests::tools;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// What begins `security.ima` of a file whose content is judged by its SHA-256: `IMA_XATTR_DIGEST_NG` of
/// `security/integrity/integrity.h`, and `HASH_ALGO_SHA256`.
const IMA_DIGEST: [u8; 2] = [4, 4];

/// Returns a root for the init that loads a policy.
fn root() -> Result<Layer> {
    let policy = fs::read(tools::build_dir().join("selinux/policy")).context("no policy")?;
    let daemon = fs::read(tools::probe())?;
    let mut layer = base()?;
    for path in ["dev", "etc", "run", "usr", "usr/sbin", "var", "var/log"] {
        layer = layer.directory(path, 0o755);
    }
    Ok(layer
        .file("etc/policy", 0o644, policy)
        .file("etc/shadow", 0o640, "root:*:::::::\n")
        .file("etc/chrony.conf", 0o644, "pool example.org\n")
        .file("usr/sbin/chronyd", 0o755, daemon))
}

/// Returns the image of that root, with the labels of Debian's policy, which does not know `/init`.
fn labelled(options: &[&str]) -> Result<Vec<u8>> {
    let place = TempDir::with_prefix("qemu-test-").context("no temporary directory")?;
    let contexts = place.path().join("file_contexts");
    let policy = tools::build_dir().join("selinux");
    let mut lines = fs::read_to_string(policy.join("file_contexts"))?;
    lines += "/init -- system_u:object_r:init_exec_t:s0\n";
    fs::write(&contexts, lines)?;
    fs::copy(policy.join("file_contexts.subs_dist"), place.path().join("file_contexts.subs_dist"))?;
    let contexts = contexts.to_str().context("a strange name")?;
    command::of_layer(&root()?, &[options, &["--labels", contexts]].concat())
}

/// Boots with SELinux enforcing, and returns what init says under the policy.
fn boot(initrd: Vec<u8>, option: &str) -> Result<Section> {
    let machine = Machine::new().initrd_bytes(initrd).append("enforcing=1").append(option);
    let boot = machine.orders("selinux").run()?;
    let found = boot.report.last()?.clone();
    for key in ["domain.init", "label", "made", "daemon"] {
        println!("{key}: {:#?}", found.all(key));
    }
    Ok(found)
}

/// The labels of the image hold, new files get those of the policy, and a daemon is confined. The root itself has the label `root`.
fn check_labels(initrd: Vec<u8>, option: &str, root: &str) -> Result<()> {
    let found = boot(initrd, option)?;
    assert_eq!(found.get("domain.init")?, "system_u:system_r:init_t:s0");
    let root = format!("/ system_u:object_r:{root}:s0");
    let labels = [
        &root,
        "/init system_u:object_r:init_exec_t:s0",
        "/usr/sbin/chronyd system_u:object_r:chronyd_exec_t:s0",
        "/etc/shadow system_u:object_r:shadow_t:s0",
        "/etc/chrony.conf system_u:object_r:chronyd_conf_t:s0",
        "/var/log system_u:object_r:var_log_t:s0",
    ];
    assert_eq!(found.all("label"), labels);
    let made = [
        "/etc/made system_u:object_r:etc_runtime_t:s0",
        "/var/log/made system_u:object_r:var_log_t:s0",
        "/run/made system_u:object_r:init_runtime_t:s0",
    ];
    assert_eq!(found.all("made"), made);
    let daemon = [
        "domain system_u:system_r:chronyd_t:s0",
        "/etc/chrony.conf open",
        "/etc/shadow permission denied",
    ];
    assert_eq!(found.all("daemon"), daemon);
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn labels_of_an_image_hold_on_the_overlay() -> Result<()> {
    // The overlay's root is that of its upper directory, which SELinux labels by its rule for any tmpfs.
    check_labels(labelled(&[])?, "initoverlayfs=require", "tmpfs_t")
}

#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn labels_of_a_btrfs_image_hold_without_an_overlay() -> Result<()> {
    let image = labelled(&["--type", "btrfs", "--reserve", "16M"])?;
    check_labels(image, "initoverlayfs=require,rw", "root_t")
}

/// The same files as an archive: nothing has a label of its own, and the daemon is as free as init.
#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn archive_brings_no_labels() -> Result<()> {
    let found = boot(newc(&root()?, Style::default()), "initoverlayfs=off")?;
    let labels = found.all("label");
    let label = |line: &&str| line.split_once(' ').map(|(_, label)| (*label).to_owned());
    let kinds: std::collections::BTreeSet<_> = labels.iter().filter_map(label).collect();
    assert_eq!(kinds.len(), 1, "{labels:#?}");
    let daemon = found.all("daemon");
    ensure!(daemon.contains(&"/etc/shadow open"), "{daemon:#?}");
    ensure!(!daemon.iter().any(|line| line.contains("chronyd_t")), "{daemon:#?}");
    Ok(())
}

/// Returns the root with a digest for IMA beside each file, of `/init` changed by `change`.
fn with_digests(change: impl Fn(&mut Vec<u8>)) -> Result<Layer> {
    let mut layer = root()?;
    for object in &mut layer.objects {
        let Body::File(content, _) = &object.body else { continue };
        let mut value = [&IMA_DIGEST[..], &Sha256::digest(content)].concat();
        if object.path == "init" {
            change(&mut value);
        }
        object.xattrs.push(("security.ima", value));
    }
    Ok(layer)
}

/// Boots with IMA's built-in policy that judges each file of root's.
fn appraised(layer: &Layer) -> Result<(Option<Report>, Console)> {
    let machine = Machine::new().initrd_bytes(command::of_layer(layer, &[])?);
    let machine =
        machine.append("initoverlayfs=require ima_policy=appraise_tcb ima_appraise=enforce");
    machine.orders("tree").run_to_any_end()
}

#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn ima_accepts_an_image_with_the_digests_of_its_files() -> Result<()> {
    let (report, console) = appraised(&with_digests(|_| ())?)?;
    ensure!(report.is_some(), "{console}");
    Ok(())
}

#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn ima_refuses_an_init_whose_digest_is_missing_or_wrong() -> Result<()> {
    let wrong = with_digests(|value| value.iter_mut().skip(2).for_each(|byte| *byte ^= 1))?;
    for (layer, cause) in [(root()?, "missing-hash"), (wrong, "invalid-hash")] {
        let (report, console) = appraised(&layer)?;
        let complaint = format!("op=appraise_data cause={cause} comm=\"swapper/0\" name=\"/init\"");
        ensure!(report.is_none() && console.has(&complaint), "{console}");
    }
    Ok(())
}

/// IMA measures all that is read of an image. Of a tmpfs, which an archive is unpacked to, its policy measures programs only.
#[test]
#[ignore = "needs a kernel of its own; make test-lsm"]
fn ima_measures_what_is_read_of_an_image() -> Result<()> {
    let layer = root()?;
    let image = (command::of_layer(&layer, &[])?, "initoverlayfs=require", true);
    let archive = (newc(&layer, Style::default()), "initoverlayfs=off", false);
    for (initrd, option, has_data) in [image, archive] {
        let machine = Machine::new().initrd_bytes(initrd).append(option);
        let boot = machine.append("ima_policy=tcb").orders("tree,measurements").run()?;
        let lines = boot.report.last()?.all("measurement");
        let has = |path| -> Result<bool> {
            let line = format!("sha256:{} /{path}", digest(&layer, path)?);
            Ok(lines.iter().any(|found| found.ends_with(&line)))
        };
        ensure!(has("init")? && has("etc/shadow")? == has_data, "{lines:#?}");
    }
    Ok(())
}

/// Returns the SHA-256 of a file's content.
fn digest(layer: &Layer, path: &str) -> Result<String> {
    let file = layer.objects.iter().find(|object| object.path == path).context("no such file")?;
    let Body::File(content, _) = &file.body else { bail!("{path} is no file") };
    Ok(Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect())
}
