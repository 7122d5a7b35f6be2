//! A Unix socket's place in the file system: put there with its mode, replacing what a dead process left,
//! and taken away at the end.
//!
//! The file is never open to more users than its mode says. On Linux what bind(2) creates has no permission
//! that the socket itself lacks, so the socket gets the mode first; everywhere the process's mask, which
//! leaves nothing to others ([`keep_files_private`](crate::lifecycle::keep_files_private)), does the same.
//! Only afterwards is the mode made what it should be, which can but widen it.
//!
//! bind(2) replaces nothing, so a stale file has to go first. A lock is held meanwhile: of two that start at
//! once, the later must not take the earlier's socket for the stale one that both have seen. The end needs
//! no lock, as the path goes while the socket still listens: until then nobody takes it for stale.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FlockOperation, Mode, OFlags, RawMode};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, Socket, Type};
use tracing::warn;

use super::BACKLOG;

/// How often the lock is tried again when another process has removed its file meanwhile.
const LOCK_ATTEMPTS: usize = 100;

/// The path of a listening socket of ours. Taken away when dropped, which must be before the socket closes.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: Identity,
    left: AtomicBool,
}

/// Device and inode: the same file has the same, as long as it exists or its socket is open.
type Identity = (u64, u64);

/// Held by the one process that may change what stands at a path.
struct Lock {
    path: PathBuf,
    _file: File,
}

/// Puts a listening socket at `path`.
pub(super) fn bind(path: &Path, mode: u32) -> io::Result<(UnixListener, Place)> {
    let _lock = Lock::take(path)?;
    remove_stale(path)?;
    let socket = create(path, mode)?;
    let place = Place { path: path.to_owned(), file: identity(path)?, left: AtomicBool::new(false) };
    set_mode(path, mode)?;
    socket.listen(BACKLOG)?;
    Ok((socket.into(), place))
}

/// Creates the file, with `mode` or less.
fn create(path: &Path, mode: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // An error means that the system knows nothing of this: then the process's mask has to do.
    let _ = rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode as RawMode));
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// Not through a link: in a directory that others may write, one could stand there by now.
#[cfg(target_os = "linux")]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.file_type().is_socket() {
        return Err(refusal(io::ErrorKind::AlreadyExists, "somebody has put another file there"));
    }
    if found.mode() & 0o7777 == mode {
        return Ok(());
    }
    fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), fs::Permissions::from_mode(mode))
}

/// Not through a link: in a directory that others may write, one could stand there by now.
#[cfg(not(target_os = "linux"))]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let mode = Mode::from_raw_mode(mode as RawMode);
    Ok(rustix::fs::chmodat(rustix::fs::CWD, path, mode, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Makes room where a process has ended without taking its socket away. Anything else stays.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        let what = "what stands there is no socket, and is left as it is";
        return Err(refusal(io::ErrorKind::AlreadyExists, what));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // One that listens, and whose queue is full, would let us wait.
    socket.set_nonblocking(true)?;
    let taken = |what| Err(refusal(io::ErrorKind::AddrInUse, what));
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => taken("another process listens there"),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
            io::ErrorKind::NotFound => Ok(()),
            io::ErrorKind::WouldBlock => taken("another process listens there"),
            io::ErrorKind::PermissionDenied => {
                taken("a socket stands there that this process may not connect to")
            }
            _ if error.raw_os_error() == Some(Errno::PROTOTYPE.raw_os_error()) => {
                taken("another process has a socket of another kind there")
            }
            _ => Err(error),
        },
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn refusal(kind: io::ErrorKind, what: impl Into<String>) -> io::Error {
    io::Error::new(kind, what.into())
}

impl Place {
    /// Takes the path away, unless it is no longer ours.
    pub(super) fn leave(&self) {
        if self.left.swap(true, Ordering::Relaxed) {
            return;
        }
        let path = self.path.display();
        match identity(&self.path) {
            Ok(file) if file == self.file => {
                if let Err(error) = fs::remove_file(&self.path) {
                    warn!(%path, %error, "the socket stays in the file system");
                }
            }
            Ok(_) => warn!(%path, "another file stands where the socket was, and is left as it is"),
            Err(error) => warn!(%path, %error, "the socket is gone from the file system already"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Lock {
    /// Takes the lock of the socket at `path`: a file beside it, which is there no longer than needed.
    fn take(path: &Path) -> io::Result<Self> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        // Opened without waiting, should it be something else, and not through a link.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        for _ in 0..LOCK_ATTEMPTS {
            let file = File::from(rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?);
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Err(Errno::WOULDBLOCK) => break,
                locked => locked?,
            }
            let held = file.metadata()?;
            if !held.is_file() || held.len() > 0 {
                let what = format!("{} is no lock of this program's, and is left as it is", path.display());
                return Err(refusal(io::ErrorKind::AlreadyExists, what));
            }
            // Who had it before may have removed it between our two calls: then others lock another file.
            if identity(&path).is_ok_and(|file| file == (held.dev(), held.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
        Err(refusal(io::ErrorKind::AddrInUse, "another process is about to listen there"))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays is no harm: the next one takes it over. The lock itself goes with the open file.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests;
