//! What a manager tells the log. Nothing here changes what it does.

use std::time::Duration;

use tracing::{error, info, warn};

use super::super::{Grant, Token, Trouble, TroubleKind};
use super::Manager;

/// The skew of the server's clock, in milliseconds, from which on a warning is due.
const NOTABLE_SKEW: u64 = 30_000;

impl Manager {
    pub(super) fn report_renewal(&self, token: &Token, next: Duration, recovered: bool) {
        info!(
            credential = self.credential.as_str(),
            generation = token.generation.number(),
            same = self.token.as_ref().is_some_and(|before| before.generation == token.generation),
            lifetime_seconds = token.lifetime.as_secs(),
            next_renewal_seconds = next.as_secs(),
            recovered,
            "token renewed"
        );
    }

    pub(super) fn report_trouble(&self, trouble: &Trouble, wait: Duration) {
        let credential = self.credential.as_str();
        let Trouble { attempts, message: cause, .. } = trouble;
        let retry_in_ms = wait.as_millis() as u64;
        match trouble.kind {
            TroubleKind::Refused => error!(credential, attempts, retry_in_ms, cause, "no token"),
            TroubleKind::RateLimited | TroubleKind::Failing => {
                warn!(credential, attempts, retry_in_ms, cause, "no token");
            }
        }
    }

    pub(super) fn report_end(&self) {
        warn!(credential = self.credential.as_str(), "the token has come to its end");
    }

    /// Shows the server's clock against ours, and warns once each time that they come far apart.
    pub(super) fn note_skew(&mut self, grant: &Grant) {
        let Some(skew_ms) = grant.skew_ms else { return };
        self.metrics.clock_skew(self.credential.as_str(), skew_ms as f64 / 1000.0);
        let notable = skew_ms.unsigned_abs() > NOTABLE_SKEW;
        if notable && !self.skew_told {
            warn!(
                credential = self.credential.as_str(),
                skew_seconds = skew_ms / 1000,
                "the server's clock differs from this machine's; tokens are timed by the server's"
            );
        }
        self.skew_told = notable;
    }
}
