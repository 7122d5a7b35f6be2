//! Requests of apps, through the same steps as real ones, and whether any failed that need not have.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::issuer::{Answer, Habit};
use super::oracle::Trouble;
use super::rules::{TICK, Time, WAIT_TIMEOUT, Window};
use super::{Year, number_of};
use crate::token::cell::{Current, Refreshed, Unavailable};

/// All that is under way beside the story.
#[derive(Default)]
pub(super) struct Crowd<'a>(RefCell<Vec<Pin<Box<dyn Future<Output = ()> + 'a>>>>);

impl<'a> Crowd<'a> {
    pub(super) fn join(&self, one: impl Future<Output = ()> + 'a) {
        self.0.borrow_mut().push(Box::pin(one));
    }

    /// Runs all who have joined, for ever.
    pub(super) async fn run(&self) {
        poll_fn::<(), _>(|context| {
            self.0.borrow_mut().retain_mut(|one| one.as_mut().poll(context).is_pending());
            Poll::Pending
        })
        .await;
    }
}

/// When a request came, and what it may hope for.
struct Asked {
    at: Time,
    instant: Instant,
    hope: Window,
}

impl Asked {
    fn now(year: &Year) -> Self {
        let at = year.now();
        Self { at, instant: Instant::now(), hope: year.oracle.borrow().hope(at) }
    }

    /// Whether the API would have issued a token in time: it was well throughout, and the rules let an
    /// exchange begin early enough.
    fn would_be_served(&self, year: &Year) -> bool {
        let well = year.issuer.healthy_since().is_some_and(|since| since <= self.hope.from);
        let by = self.hope.by + year.issuer.slowest + TICK;
        well && !year.suspended_since(self.hope.from) && by < self.at + WAIT_TIMEOUT
    }

    fn gave_up_early(&self) -> bool {
        self.instant.elapsed() < WAIT_TIMEOUT
    }
}

/// A request from its beginning to its end.
pub(super) async fn request(year: &Year, renews_in_band: bool) {
    let Some(current) = token(year).await else { return };
    let number = number_of(&current);
    if !year.issuer.accepts(number) {
        return resend(year, &current).await;
    }
    if let Some(claim) = year.cell.claim_in_band(&current) {
        assert!(year.view.borrow().in_band, "seed {}: a claim that nobody asked for", year.seed);
        if renews_in_band {
            tokio::time::sleep(year.issuer.slowest / 2).await;
            offer(year);
        }
        drop(claim);
    }
}

/// The API gives a token in its answer to a request.
pub(super) fn offer(year: &Year) {
    let answer = year.issuer.token();
    let Answer::Token { number, life } = answer else { return };
    year.oracle.borrow_mut().offered(year.now(), answer);
    year.cell.offer(year.grant(number, life, year.clock().now()));
}

async fn token(year: &Year) -> Option<Rc<Current>> {
    if year.cell.newer_at_hand(super::Generation::none()).is_none() {
        year.oracle.borrow_mut().wanted(year.now());
    }
    let asked = Asked::now(year);
    year.oracle.borrow_mut().waiting += 1;
    let outcome = year.cell.current().await;
    let mut oracle = year.oracle.borrow_mut();
    oracle.waiting -= 1;
    let now = year.now();
    let error = match outcome {
        Ok(current) => {
            let held = oracle.valid(now).is_some();
            oracle.hold(held, now, || "a request gets a token that has ended".into());
            return Some(current);
        }
        Err(error) => error,
    };
    oracle.note(now, || format!("a request of {:?} fails: {error}", asked.at));
    let left = oracle.not_before.saturating_sub(now);
    let told_why = match &error {
        // It is heard of as soon as it is known.
        Unavailable::Refused(_) => {
            oracle.trouble == Some(Trouble::Refused) && oracle.failed_at.max(Some(asked.at)) == Some(now)
        }
        Unavailable::RateLimited(told) => {
            oracle.trouble == Some(Trouble::Limited)
                && *told + TICK >= left
                && (*told > WAIT_TIMEOUT || !asked.gave_up_early())
        }
        Unavailable::NotInTime { .. } => !asked.gave_up_early(),
    };
    oracle.hold(told_why, now, || format!("a request hears {error:?}"));
    let has_one = oracle.valid(now).is_some() && !oracle.offered_just_now(now);
    oracle.hold(!has_one, now, || format!("a request finds no token where there is one: {error}"));
    oracle.hold(!asked.would_be_served(year), now, || format!("a request fails in vain: {error}"));
    None
}

/// The API answered 401 to this token: the request is sent again with a newer one.
async fn resend(year: &Year, rejected: &Current) {
    year.oracle.borrow_mut().rejected(year.now(), rejected.generation.number());
    let was_under_way = year.oracle.borrow().under_way;
    let asked = Asked::now(year);
    year.oracle.borrow_mut().waiting += 1;
    let newer = year.cell.newer_than(rejected.generation).await;
    let mut oracle = year.oracle.borrow_mut();
    oracle.waiting -= 1;
    let now = year.now();
    if let Some(newer) = newer {
        let is_newer =
            newer.generation > rejected.generation && newer.remaining(year.clock().now()) > Duration::ZERO;
        oracle.hold(is_newer, now, || "no newer token".into());
        let accepted = year.issuer.accepts(number_of(&newer)) || year.issuer.revoked_since(asked.at);
        return oracle
            .hold(accepted || year.issuer.stubborn, now, || "a newer token that is rejected".into());
    }
    oracle.note(now, || format!("a request of {:?} with a 401 fails", asked.at));
    let repeated = oracle.same_at.filter(|at| *at >= asked.at);
    let left = oracle.not_before.saturating_sub(now);
    let hopeless = match oracle.trouble {
        Some(Trouble::Refused) => true,
        Some(Trouble::Limited) => left + TICK + super::rules::LATER > WAIT_TIMEOUT,
        Some(Trouble::Failing | Trouble::Ended) => false,
        None => repeated == Some(now),
    };
    oracle.hold(hopeless || !asked.gave_up_early(), now, || "a request gives up early".into());
    // What began before the 401 says nothing of it: another exchange follows, and is worth waiting for.
    oracle.hold(was_under_way || repeated.is_none_or(|at| at == now || at == asked.at), now, || {
        "a request waits on, in vain".into()
    });
    // The issuer may not know of the revocation, or not care.
    let may_repeat = year.issuer.habit != Habit::AlwaysNew && (was_under_way || year.issuer.stubborn);
    oracle.hold(may_repeat || !asked.would_be_served(year), now, || "a 401 reaches an app in vain".into());
}

/// An operator wants a new token now.
pub(super) async fn refresh(year: &Year) {
    let asked = year.now();
    year.oracle.borrow_mut().refresh(asked);
    let told = year.handle.refresh().await;
    let mut oracle = year.oracle.borrow_mut();
    let now = year.now();
    oracle.note(now, || format!("the operator hears {told:?}"));
    match told {
        Some(Refreshed::NotBefore(wait)) => oracle.refresh_put_off(now, asked, wait),
        Some(Refreshed::Renewed { .. }) => {
            oracle.hold(oracle.taken_at >= Some(asked), now, || "an operator is told of a renewal".into());
        }
        Some(Refreshed::Failed(_)) => {
            oracle.hold(oracle.failed_at >= Some(asked), now, || "an operator is told of a failure".into());
        }
        None => oracle.hold(false, now, || "the manager is gone".into()),
    }
}
