// SPDX-License-Identifier: GPL-2.0-only

//! The options on the kernel's command line: noted before any initcall, and read by the claim.

use crate::{
    initrd::filesystem::{
        Filesystem,
        Filesystems, //
    },
    parameter::options::{
        BadOption,
        Mode,
        Options,
        UnsignedCpio, //
    },
    sys::command_line, //
};
use initoverlayfs_macros::{
    boot_param,
    init, //
};
use kernel::{
    fmt,
    prelude::*,
    str::{
        BStr,
        CString, //
    },
    sync::SetOnce, //
};

/// The most times that `initoverlayfs=` may stand on the command line.
const MAX_PARAMETERS: usize = 8;

/// The values of `initoverlayfs=`, in the order of the command line.
static PARAMETERS: [SetOnce<&CStr>; MAX_PARAMETERS] = [const { SetOnce::new() }; MAX_PARAMETERS];

/// Set if one had no place there.
static TOO_MANY_PARAMETERS: SetOnce<()> = SetOnce::new();

boot_param!("initoverlayfs=", note_parameter);

#[init]
fn note_parameter(value: &'static CStr) {
    if !PARAMETERS.iter().any(|slot| slot.populate(value)) {
        pr_err!("more than {MAX_PARAMETERS} initoverlayfs= parameters, ignoring the last\n");
        TOO_MANY_PARAMETERS.populate(());
    }
}

/// Parameters of other parts of the kernel that the claim has to know.
#[derive(Default)]
struct Others {
    /// Set if the kernel is to keep the initrd.
    retain_initrd: bool,
    /// Set if the last `root=` is the ramdisk that `init/do_mounts_rd.c` loads an initrd of the
    /// old kind into.
    root_is_ramdisk: bool,
}

impl Others {
    /// Reads the command line. Without memory for that, nothing is known.
    #[init]
    fn read() -> Self {
        let mut others = Self::default();
        let _ = command_line::for_each(|name, value| {
            // As `__setup()` in `init/initramfs.c` has them: the first takes no value, and the
            // second takes any, and any ending of its name.
            if command_line::is_named(name, c"retain_initrd") {
                others.retain_initrd |= value.is_none();
            } else if cfg!(CONFIG_ARCH_HAS_KEEPINITRD) && name.to_bytes().starts_with(b"keepinitrd")
            {
                others.retain_initrd = true;
            } else if command_line::is_named(name, c"root") {
                let names: [&[u8]; 3] = [b"/dev/ram0", b"/dev/ram", b"1:0"];
                let is_ramdisk = value.is_some_and(|value| names.contains(&value.to_bytes()));
                others.root_is_ramdisk = cfg!(CONFIG_BLK_DEV_RAM = "y") && is_ramdisk;
            }
        });
        others
    }
}

/// Returns the program in the initial root that the kernel starts: `/init`, or the last `rdinit=`.
///
/// # Errors
///
/// `ENOMEM`.
#[init]
pub(crate) fn init_program() -> Result<CString> {
    let mut program = CString::try_from(c"/init")?;
    let mut copied = Ok(());
    command_line::for_each(|name, value| {
        if let (true, Some(value)) = (command_line::is_named(name, c"rdinit"), value) {
            copied = CString::try_from(value).map(|value| program = value);
        }
    })?;
    copied?;
    Ok(program)
}

/// A part of the parameter that means nothing, and why.
pub(crate) struct Bad {
    problem: &'static str,
    text: &'static [u8],
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("{} '{}'", self.problem, BStr::from_bytes(self.text)))
    }
}

/// Reads the command line, as far as it concerns the initrd. Returns the options, and the first
/// part that means nothing.
#[init]
pub(crate) fn parse() -> (Options<'static>, Option<Bad>) {
    let mut options = Options::default();
    let mut first_bad = None;
    for value in PARAMETERS.iter().filter_map(SetOnce::copy) {
        options.apply(value.to_bytes(), |bad| {
            let (problem, text) = match bad {
                BadOption::Unknown(text) => ("unknown option", text),
                BadOption::Size(text) => ("not a size", text),
                BadOption::Policy(text) => ("malformed policy", text),
                BadOption::Filesystem(text) => ("not a filesystem for an image", text),
                BadOption::Subvolume(text) => ("not a subvolume", text),
            };
            let effect = match bad {
                BadOption::Policy(_) => ": no image will be used",
                _ => " ignored",
            };
            pr_err!("{problem} '{}'{effect}\n", BStr::from_bytes(text));
            first_bad.get_or_insert(Bad { problem, text });
        });
    }
    let policy = &mut options.policy;
    if policy.signature && !cfg!(CONFIG_INITOVERLAYFS_SIGNATURES) {
        pr_err!("verify=signature needs CONFIG_INITOVERLAYFS_SIGNATURES, no image will be used\n");
        policy.is_malformed = true;
        first_bad.get_or_insert(Bad {
            problem: "unsupported option",
            text: b"verify=signature",
        });
    }
    // What was not noted may have been a policy.
    policy.is_malformed |= TOO_MANY_PARAMETERS.as_ref().is_some();
    if cfg!(CONFIG_INITOVERLAYFS_REQUIRE_SIGNATURE) {
        policy.signature = true;
        if policy.unsigned_cpio == UnsignedCpio::Allow {
            pr_err!("unsigned-cpio=allow ignored: this kernel uses only signed images\n");
            policy.unsigned_cpio = UnsignedCpio::Ignore;
        }
    }
    let others = Others::read();
    // The kernel loads images of the others into its ramdisk. `fstype=` asks for them all the same.
    if others.root_is_ramdisk
        && options.mode == Mode::Auto
        && !options.is_restricted
        && !options.policy.is_set()
    {
        options.filesystems = Filesystems::NONE
            .with(Filesystem::Erofs)
            .with(Filesystem::Btrfs);
    }
    options.retain |= others.retain_initrd;
    (options, first_bad)
}
