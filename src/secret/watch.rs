//! Notices that a file holds another secret than before.
//!
//! File events make it quick, and a timer makes it certain: events may be missing (network file
//! systems, no watches left), and a name may lead through links elsewhere. Kubernetes swaps a link
//! beside the file (`..data`), so it is the directory that is watched. What counts is the content.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use super::Secret;

/// How often it looks without being told.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Events come in swarms: so long it waits for the rest of one before it looks.
pub const SETTLE: Duration = Duration::from_millis(50);

/// A file with a secret, watched.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Option<Secret>,
    unusable: bool,
    look: Arc<Notify>,
    // Held for its events, which end when it is dropped.
    _events: Option<RecommendedWatcher>,
}

/// What has become of a file with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It holds another secret.
    Another,
    /// It could not be used, and holds the same secret again.
    Back,
}

impl Watch {
    /// Watches `path`, whose content may be read from now on.
    pub fn new(path: &Path) -> Self {
        let look = Arc::new(Notify::new());
        let events = file_events(path, look.clone())
            .inspect_err(|error| debug!(%error, "no file events: the secret's file is looked at every 10 s"))
            .ok();
        Self { path: path.to_owned(), seen: Secret::read(path).ok(), unusable: false, look, _events: events }
    }

    /// What the file held when it was last read and could be used.
    pub fn secret(&self) -> Option<&Secret> {
        self.seen.as_ref()
    }

    /// Whoever notifies this makes it look at once.
    pub fn look(&self) -> Arc<Notify> {
        self.look.clone()
    }

    /// Returns when the file holds another secret, or its own again. What is none (a file that is being
    /// written, or gone) is no change: the secret that was read last stays in use.
    pub async fn changed(&mut self) -> Change {
        loop {
            tokio::select! {
                () = self.look.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            match Secret::read(&self.path) {
                Ok(now) if self.seen.as_ref().is_some_and(|seen| seen.expose() == now.expose()) => {
                    if std::mem::take(&mut self.unusable) {
                        return Change::Back;
                    }
                }
                Ok(now) => {
                    info!(file = %self.path.display(), "the secret has changed");
                    self.seen = Some(now);
                    self.unusable = false;
                    return Change::Another;
                }
                Err(error) if !self.unusable => {
                    warn!(file = %self.path.display(), %error, "the secret's file cannot be used");
                    self.unusable = true;
                }
                Err(_) => {}
            }
        }
    }
}

/// Notifies `look` when something changes beside `path`, for as long as what is returned lives.
///
/// # Errors
/// The system has no events for it.
pub fn file_events(path: &Path, look: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // To look is to open and to close, which are events themselves: only what changes something counts.
        if event.is_ok_and(|event| !matches!(event.kind, EventKind::Access(_))) {
            look.notify_one();
        }
    })?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    watcher.watch(directory.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    async fn notices(watch: &mut Watch) -> bool {
        timeout(LIMIT, watch.changed()).await == Ok(Change::Another)
    }

    #[tokio::test]
    async fn a_file_that_is_written_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path);
        fs::write(&path, "two").unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn to_look_at_it_is_no_event() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one").unwrap();
        let watch = Watch::new(&path);
        let look = watch.look();
        // What was written before may still be told.
        while timeout(2 * SETTLE, look.notified()).await.is_ok() {}
        for _ in 0..5 {
            Secret::read(&path).unwrap();
        }
        assert!(timeout(4 * SETTLE, look.notified()).await.is_err());
    }

    #[tokio::test]
    async fn a_link_that_is_swapped_as_kubernetes_does_it() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for (version, key) in [("..1", "one"), ("..2", "two")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("key"), key).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/key", at("key")).unwrap();
        let mut watch = Watch::new(&at("key"));
        symlink("..2", at("..data_tmp")).unwrap();
        fs::rename(at("..data_tmp"), at("..data")).unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn the_same_content_and_what_is_no_secret_are_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path);
        for content in ["one\n", "", "not a key"] {
            fs::write(&path, content).unwrap();
            let look = watch.look();
            look.notify_one();
            assert!(timeout(4 * SETTLE, watch.changed()).await.is_err(), "{content:?}");
        }
        fs::remove_file(&path).unwrap();
        fs::write(&path, "two").unwrap();
        assert!(notices(&mut watch).await);
    }

    #[tokio::test]
    async fn a_file_that_is_gone_and_comes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch::new(&path);
        fs::remove_file(&path).unwrap();
        assert!(timeout(4 * SETTLE, watch.changed()).await.is_err(), "gone");
        fs::write(&path, "one").unwrap();
        assert_eq!(timeout(LIMIT, watch.changed()).await, Ok(Change::Back));
    }

    #[tokio::test(start_paused = true)]
    async fn without_events_the_timer_finds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "one").unwrap();
        let mut watch = Watch { _events: None, ..Watch::new(&path) };
        fs::write(&path, "two").unwrap();
        let started = tokio::time::Instant::now();
        watch.changed().await;
        assert!(started.elapsed() <= LOOK_EVERY + SETTLE);
    }
}
