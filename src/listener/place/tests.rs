use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Barrier;

use tempfile::TempDir;

use super::*;

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn entries(directory: &TempDir) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A socket's file whose process is gone.
fn stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(path.exists());
}

fn refused(path: &Path, why: &str) {
    let before = fs::symlink_metadata(path).unwrap();
    let error = bind(path, 0o600).unwrap_err();
    assert!(error.to_string().contains(why), "{error}");
    let after = fs::symlink_metadata(path).unwrap();
    assert_eq!((after.ino(), after.mode()), (before.ino(), before.mode()), "it was touched");
}

/// The tests' own mask is that of whoever runs them: with the usual 022 the file would have 0755.
#[cfg(target_os = "linux")]
#[test]
fn the_file_has_no_more_than_its_mode_from_the_first_moment() {
    for wanted in [0o600, 0o640, 0o660, 0o200] {
        let (_directory, path) = directory();
        let _socket = create(&path, wanted).unwrap();
        assert_eq!(mode(&path) & !wanted, 0, "{:o} for {wanted:o}", mode(&path));
    }
}

#[test]
fn the_mode_is_the_one_that_was_wanted_whatever_the_mask() {
    for wanted in [0o600, 0o660, 0o666, 0o777] {
        let (directory, path) = directory();
        let (_listener, place) = bind(&path, wanted).unwrap();
        assert_eq!(mode(&path), wanted);
        assert_eq!(entries(&directory), ["socket"], "no lock is left");
        UnixStream::connect(&path).unwrap();
        drop(place);
        assert_eq!(entries(&directory), Vec::<String>::new());
    }
}

#[test]
fn a_stale_socket_makes_room_and_a_live_one_does_not() {
    let (_directory, path) = directory();
    stale(&path);
    let first = bind(&path, 0o600).unwrap();
    refused(&path, "another process listens there");
    UnixStream::connect(&path).unwrap();
    drop(first);
}

#[test]
fn a_live_socket_whose_queue_is_full_is_no_stale_one() {
    let (_directory, path) = directory();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        if client.connect(&SockAddr::unix(&path).unwrap()).is_err() {
            break;
        }
        waiting.push(client);
    }
    refused(&path, "another process listens there");
}

#[test]
fn what_is_no_socket_of_that_kind_is_left_as_it_is() {
    let (directory, path) = directory();
    fs::write(&path, "precious").unwrap();
    refused(&path, "is no socket");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    refused(&path, "is no socket");
    fs::remove_dir(&path).unwrap();

    // Not even when what it points at would do.
    let other = directory.path().join("other");
    stale(&other);
    for target in [&other, &directory.path().join("nowhere")] {
        symlink(target, &path).unwrap();
        refused(&path, "is no socket");
        fs::remove_file(&path).unwrap();
    }

    let _datagrams = UnixDatagram::bind(&path).unwrap();
    refused(&path, "a socket of another kind");
}

#[test]
fn what_stands_there_later_is_left_as_it_is() {
    let (_directory, path) = directory();
    let (_listener, place) = bind(&path, 0o600).unwrap();
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    drop(place);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_place_is_left_once() {
    let (_directory, path) = directory();
    let (_listener, place) = bind(&path, 0o600).unwrap();
    place.leave();
    let (_next, _its_place) = bind(&path, 0o600).unwrap();
    drop(place);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn one_at_a_time_may_change_what_stands_there() {
    let (directory, path) = directory();
    stale(&path);
    let lock = Lock::take(&path).unwrap();
    refused(&path, "another process is about to listen there");
    drop(lock);
    assert_eq!(entries(&directory), ["socket"]);

    // One that a killed process left.
    fs::write(directory.path().join("socket.lock"), "").unwrap();
    let bound = bind(&path, 0o600).unwrap();
    assert_eq!(entries(&directory), ["socket"]);
    drop(bound);
}

#[test]
fn a_file_that_only_has_the_locks_name_is_left_as_it_is() {
    let (directory, path) = directory();
    let lock = directory.path().join("socket.lock");
    fs::write(&lock, "precious").unwrap();
    let error = bind(&path, 0o600).unwrap_err();
    assert!(error.to_string().contains("socket.lock is no lock of this program's"), "{error}");
    assert_eq!((fs::read(&lock).unwrap(), path.exists()), (b"precious".to_vec(), false));
    fs::remove_file(&lock).unwrap();

    let victim = directory.path().join("victim");
    symlink(&victim, &lock).unwrap();
    assert!(bind(&path, 0o600).is_err());
    assert!(!victim.exists() && lock.is_symlink());
}

/// Each has seen the same stale socket: only one may replace it, and keeps its place.
#[test]
fn of_many_that_start_at_once_one_gets_the_place() {
    const STARTS: usize = 8;
    for _ in 0..50 {
        let (directory, path) = directory();
        stale(&path);
        let barrier = Barrier::new(STARTS);
        let bound: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                barrier.wait();
                bind(&path, 0o600)
            };
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            starts.into_iter().filter_map(|start| start.join().unwrap().ok()).collect()
        });
        assert_eq!(bound.len(), 1);
        let client = UnixStream::connect(&path).unwrap();
        bound[0].0.accept().unwrap();
        drop(client);
        assert_eq!(entries(&directory), ["socket"]);
    }
}

/// In a directory that others may write, a link could stand there between the two steps.
#[test]
fn the_mode_of_no_other_file_is_changed() {
    let (directory, path) = directory();
    let victim = directory.path().join("victim");
    fs::write(&victim, "").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&victim, &path).unwrap();
    assert!(set_mode(&path, 0o666).is_err());
    assert_eq!(mode(&victim), 0o600);
}

/// Its file comes and goes, so that two may have locked two files of the same name.
#[test]
fn two_never_hold_the_lock() {
    let (directory, path) = directory();
    let (inside, held) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let Ok(_lock) = Lock::take(&path) else { continue };
                    assert!(!inside.swap(true, Ordering::SeqCst), "another one is inside");
                    held.store(true, Ordering::Relaxed);
                    inside.store(false, Ordering::SeqCst);
                }
            });
        }
    });
    assert!(held.into_inner());
    assert_eq!(entries(&directory), Vec::<String>::new());
}
