//! What the log and the metrics are told.

use std::io::Write;
use std::sync::{Arc, Mutex};

use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// All that this thread logs while it lives.
struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Log {
    fn start() -> Self {
        let lines = Lines::default();
        let subscriber =
            tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).without_time().finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines so far, which are told once.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.lines.0.lock().unwrap());
        String::from_utf8(bytes).unwrap().lines().map(|line| line.trim().to_owned()).collect()
    }
}

fn has(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part} in {line}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_outcome_is_logged_once() {
    fastrand::seed(1);
    let log = Log::start();
    let world = World::new(&[Say::Token(HOUR), Say::Same(HOUR), Say::Refuse, Say::Down, Say::Token(HOUR)]);
    world
        .play(async {
            pass(Duration::from_secs(1)).await;
            let lines = log.take();
            assert_eq!(lines.len(), 1, "{lines:?}");
            has(&lines[0], &["INFO", "token renewed", "credential=\"api\"", "generation=1", "same=false"]);
            has(&lines[0], &["lifetime_seconds=3600", "next_renewal_seconds=17", "recovered=false"]);

            world.handle.refresh().await.unwrap();
            has(&log.take()[0], &["token renewed", "same=true"]);
            pass(Duration::from_secs(2)).await;
            world.handle.refresh().await.unwrap();
            let lines = log.take();
            assert_eq!(lines.len(), 1, "{lines:?}");
            has(&lines[0], &["ERROR", "no token", "attempts=1", "retry_in_ms=60000", "cause=\"refused\""]);
            pass(MINUTE).await;
            has(&log.take()[0], &["WARN", "no token", "attempts=2", "cause=\"down\""]);
            pass(MINUTE).await;
            has(&log.take()[0], &["token renewed", "generation=2", "same=false", "recovered=true"]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_logged() {
    let log = Log::start();
    let world = World::new(&[Say::Token(HOUR), Say::Hang(2 * HOUR)]);
    world
        .play(async {
            pass(HOUR + MINUTE).await;
            let lines = log.take();
            assert_eq!(lines.len(), 2, "{lines:?}");
            has(&lines[1], &["WARN", "the token has come to its end", "credential=\"api\""]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_skewed_clock_is_warned_of_once_each_time_and_always_shown() {
    let log = Log::start();
    let metrics = Metrics::new("sandbox");
    let latch = Readiness::default().latch("credential api", "first");
    let policy = Policy { refresh_ratio: 0.5, in_band: false };
    let clock = Clock::scripted();
    let (mut manager, _handle) = Manager::new(Credential::Api, policy, clock.clone(), latch, metrics.clone());
    let token = Secret::parse("token-1".into()).unwrap();
    let mut grant =
        Grant { token, expires_at_ms: 0, lifetime: HOUR, requested: clock.now(), skew_ms: None, key: None };
    manager.note_skew(&grant);
    assert!(!metrics.encode().unwrap().contains("credential=\"api\"} -"), "nobody said");
    for (skew_ms, warns) in
        [(30_000, false), (30_001, true), (31_000, true), (0, false), (-90_500, true), (-90_500, true)]
    {
        let told = manager.skew_told;
        grant.skew_ms = Some(skew_ms);
        manager.note_skew(&grant);
        let shown = format!("{{credential=\"api\"}} {:?}", skew_ms as f64 / 1000.0);
        assert!(metrics.encode().unwrap().contains(&shown), "{shown} in {}", metrics.encode().unwrap());
        let lines = log.take();
        assert_eq!(lines.len(), usize::from(warns && !told), "{skew_ms}: {lines:?}");
        if let [line] = &lines[..] {
            has(line, &["WARN", "differs", &format!("skew_seconds={}", skew_ms / 1000)]);
        }
    }
}
