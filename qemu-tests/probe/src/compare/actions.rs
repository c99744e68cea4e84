// SPDX-License-Identifier: GPL-2.0-only
//! Actions of an init on the tree that `qemu-tests/tests/differential.rs` packs.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{symlink, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::fs::{
    inotify, AtFlags, Dev, FallocateFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags,
    XattrFlags, CWD,
};
use rustix::mount::MountFlags;

use super::Seen;

/// Does one thing; returns what is worth comparing.
type Action = fn() -> io::Result<String>;

/// Everything, in order: later actions use what earlier ones left.
const ACTIONS: [(&str, Action); 41] = [
    ("append-by-one-name-read-by-the-other", || {
        append("/links/one", b"+")?;
        read("/links/two")
    }),
    ("links-after-a-write", || both("/links/one", "/links/two", |m| m.nlink().to_string())),
    ("number-after-a-write", || unchanged("/numbers/write", |path| append(path, b"+"))),
    ("number-after-chmod", || unchanged("/numbers/chmod", |path| chmod(path, 0o600))),
    ("number-after-chown", || {
        unchanged("/numbers/chown", |path| std::os::unix::fs::chown(path, Some(5), Some(6)))
    }),
    ("blocks-after-chmod-of-a-large-file", || {
        let free = || rustix::fs::statfs("/").map(|figures| figures.f_bfree);
        let before = free()?;
        chmod("/large", 0o600)?;
        Ok((before - free()? > 100).to_string())
    }),
    ("descriptor-opened-before-a-write", || {
        let mut reader = File::open("/stale")?;
        fs::write("/stale", "new")?;
        text(&mut reader)
    }),
    ("lock-across-a-write", || {
        let reader = File::open("/lock")?;
        rustix::fs::flock(&reader, FlockOperation::NonBlockingLockExclusive)?;
        let writer = OpenOptions::new().write(true).open("/lock")?;
        Ok(rustix::fs::flock(&writer, FlockOperation::NonBlockingLockExclusive)
            .is_err()
            .to_string())
    }),
    ("record-lock", || {
        let file = OpenOptions::new().read(true).write(true).open("/lock")?;
        Ok(rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
            .map(|()| "locked".to_owned())?)
    }),
    ("watch-across-a-write", || {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK)?;
        inotify::add_watch(&watch, "/watched", inotify::WatchFlags::MODIFY)?;
        append("/watched", b"+")?;
        let mut buffer = [std::mem::MaybeUninit::uninit(); 512];
        let mut events = inotify::Reader::new(&watch, &mut buffer);
        Ok(events.next().map(|_| "told".to_owned())?)
    }),
    ("rename-file", || {
        fs::rename("/names/file", "/names/renamed").and_then(|()| read("/names/renamed"))
    }),
    ("rename-over", || {
        fs::rename("/names/renamed", "/names/other").and_then(|()| read("/names/other"))
    }),
    ("rename-directory", || {
        fs::rename("/names/directory", "/names/moved").and_then(|()| read("/names/moved/inside"))
    }),
    ("rename-directory-elsewhere", || {
        fs::rename("/names/moved", "/elsewhere").and_then(|()| read("/elsewhere/inside"))
    }),
    ("rename-exchange", || {
        rustix::fs::renameat_with(CWD, "/elsewhere", CWD, "/names/other", RenameFlags::EXCHANGE)?;
        read("/elsewhere")
    }),
    ("rename-whiteout", || {
        Ok(rustix::fs::renameat_with(
            CWD,
            "/whiteout",
            CWD,
            "/whiteout-renamed",
            RenameFlags::WHITEOUT,
        )
        .map(|()| Path::new("/whiteout").symlink_metadata().is_ok().to_string())?)
    }),
    ("link", || {
        fs::hard_link("/lock", "/lock-too")
            .and_then(|()| both("/lock", "/lock-too", |m| m.nlink().to_string()))
    }),
    ("symlink", || symlink("lock", "/to-lock").and_then(|()| read("/to-lock"))),
    ("unlink-and-create", || {
        fs::remove_file("/gone")
            .and_then(|()| fs::write("/gone", "new"))
            .and_then(|()| read("/gone"))
    }),
    ("rmdir-of-a-full-directory", || fs::remove_dir("/full").map(|()| String::new())),
    ("remove-and-make-directory", || {
        fs::remove_dir_all("/full")?;
        fs::create_dir("/full")?;
        Ok(fs::read_dir("/full")?.count().to_string())
    }),
    ("device-0-0", || {
        let device: Dev = rustix::fs::makedev(0, 0);
        rustix::fs::mknodat(CWD, "/device", FileType::CharacterDevice, Mode::RUSR, device)?;
        Ok(format!("{:o}", fs::symlink_metadata("/device")?.mode()))
    }),
    ("device-of-the-archive", || File::open("/null").and_then(|mut file| text(&mut file))),
    ("attribute-of-user", || attribute("user.a")),
    ("attribute-of-trusted", || attribute("trusted.a")),
    ("attribute-of-security", || attribute("security.a")),
    ("attribute-of-overlayfs", || attribute("trusted.overlay.opaque")),
    ("capability", || {
        attribute_is(
            "security.capability",
            &[1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        )
    }),
    ("hole", || {
        let file = File::create("/hole")?;
        file.write_all_at(b"x", 10 << 20)?;
        let metadata = file.metadata()?;
        Ok(format!("{} {}", metadata.size(), metadata.blocks()))
    }),
    ("allocate", || {
        let file = File::create("/allocated")?;
        rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 1 << 20)?;
        Ok(file.metadata()?.blocks().to_string())
    }),
    ("copy-file-range", || {
        let (from, to) = (File::open("/lock")?, File::create("/copied")?);
        Ok(rustix::fs::copy_file_range(from, None, to, None, 100).map(|count| count.to_string())?)
    }),
    ("unnamed-file", || {
        let file = OpenOptions::new()
            .write(true)
            .custom_flags(OFlags::TMPFILE.bits() as i32)
            .open("/tmp")?;
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        rustix::fs::linkat(CWD, path, CWD, "/named", AtFlags::SYMLINK_FOLLOW)?;
        Ok("linked".to_owned())
    }),
    ("direct-io", || {
        let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        OpenOptions::new()
            .read(true)
            .custom_flags(direct)
            .open("/lock")
            .map(|_| "opened".to_owned())
    }),
    ("mapping", mapping),
    ("socket", || {
        let listener = UnixListener::bind("/socket")?;
        UnixStream::connect("/socket")?.write_all(b"hello")?;
        let mut stream = listener.accept()?.0;
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }),
    ("fifo", || {
        let mut fifo = OpenOptions::new().read(true).write(true).open("/fifo")?;
        fifo.write_all(b"x")?;
        let mut byte = [0];
        fifo.read_exact(&mut byte)?;
        Ok("passed".to_owned())
    }),
    ("script", || Ok(Command::new("/script").output()?.status.to_string())),
    ("set-user-id", || Ok(Command::new("/suid").output()?.status.to_string())),
    ("access-time", || {
        let time = || fs::metadata("/read").map(|found| (found.atime(), found.atime_nsec()));
        let before = time()?;
        read("/read")?;
        Ok((time()? > before).to_string())
    }),
    ("overlay-on-the-root", || {
        ["/upper", "/work", "/merged"].into_iter().try_for_each(fs::create_dir)?;
        let options = c"lowerdir=/names,upperdir=/upper,workdir=/work";
        let mounted = rustix::mount::mount("o", "/merged", "overlay", MountFlags::empty(), options);
        Ok(mounted.map(|()| "mounted".to_owned())?)
    }),
    ("remount-with-a-size", || {
        Ok(rustix::mount::mount_remount("/", MountFlags::empty(), c"size=90%")
            .map(|()| "done".to_owned())?)
    }),
];

/// Tries everything.
pub fn try_all(seen: &mut Seen) {
    for (name, action) in ACTIONS {
        seen.result(format!("do.{name}"), action());
    }
}

fn append(path: &str, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().append(true).open(path)?.write_all(bytes)
}

fn chmod(path: &str, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Returns the first bytes of a file, as text.
fn text(file: &mut impl Read) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(100).read_to_end(&mut bytes)?;
    Ok(bytes.escape_ascii().to_string())
}

fn read(path: &str) -> io::Result<String> {
    text(&mut File::open(path)?)
}

/// Returns one fact of each of two files.
fn both(one: &str, two: &str, fact: fn(&fs::Metadata) -> String) -> io::Result<String> {
    Ok(format!("{} {}", fact(&fs::metadata(one)?), fact(&fs::metadata(two)?)))
}

/// Returns whether a file keeps its device's and its own number.
fn unchanged(path: &str, change: fn(&str) -> io::Result<()>) -> io::Result<String> {
    let number = || fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    let before = number()?;
    change(path)?;
    Ok((number()? == before).to_string())
}

fn attribute(name: &str) -> io::Result<String> {
    attribute_is(name, b"y")
}

/// Gives a file an attribute, and reads it back.
fn attribute_is(name: &str, value: &[u8]) -> io::Result<String> {
    rustix::fs::setxattr("/attributes", name, value, XattrFlags::empty())?;
    let mut buffer = [0_u8; 64];
    let len = rustix::fs::getxattr("/attributes", name, &mut buffer[..])?;
    Ok((buffer.get(..len) == Some(value)).to_string())
}

/// Writes to a file through a shared mapping that was made before it was opened for writing by anybody.
#[expect(unsafe_code, reason = "memory that is mapped from a file")]
fn mapping() -> io::Result<String> {
    use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};
    let mut file = OpenOptions::new().read(true).write(true).open("/mapped")?;
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: A new mapping of a file that nobody else has open, of a page that the file has; it is unmapped below.
    unsafe {
        let place = mmap(std::ptr::null_mut(), 4096, protection, MapFlags::SHARED, &file, 0)?;
        place.cast::<u8>().write(b'M');
        munmap(place, 4096)?;
    }
    file.seek(SeekFrom::Start(0))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte.escape_ascii().to_string())
}
