//! A cell against views that are published by hand.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::advance;

use super::*;
use crate::secret::Secret;
use crate::token::Credential;
use crate::token::clock::Clock;

const WAIT: Duration = Duration::from_secs(5);
const HOUR: Duration = Duration::from_secs(3600);

struct Manager {
    clock: Clock,
    view: watch::Sender<View>,
    nudges: mpsc::Receiver<Nudge>,
}

fn start(state: impl FnOnce(&Clock) -> State) -> (Manager, TokenCell) {
    let clock = Clock::scripted();
    let view = View { state: state(&clock), begun: 1, ended: 1, in_band: false };
    let (view, receiver) = watch::channel(view);
    let (sender, nudges) = mpsc::channel(64);
    let cell = Handle::new(Credential::Api, clock.clone(), receiver, sender).cell(WAIT);
    (Manager { clock, view, nudges }, cell)
}

fn grant(clock: &Clock) -> Grant {
    let token = Secret::parse("token-1".into()).unwrap();
    Grant { token, expires_at_ms: 7, lifetime: HOUR, requested: clock.now(), skew_ms: None, key: None }
}

fn first() -> Generation {
    Generation::after(None)
}

fn available(clock: &Clock, renewal: Option<Trouble>) -> State {
    let token = Arc::new(Token::new(first(), &grant(clock), None));
    State::Available { token, renewal: renewal.map(Arc::new) }
}

fn limited(clock: &Clock, wait: Duration) -> Trouble {
    let retry_at = clock.now().after(wait);
    Trouble { kind: TroubleKind::RateLimited, message: "limited".into(), attempts: 1, retry_at }
}

/// Whether a future is still not ready, with no time gone by.
async fn waits(future: &mut (impl Future + Unpin)) -> bool {
    tokio::select! {
        biased;
        _ = future => false,
        () = tokio::task::yield_now() => true,
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_that_ends_just_in_time_is_waited_for() {
    let (_manager, cell) = start(|clock| State::Unavailable(Arc::new(limited(clock, WAIT))));
    assert!(waits(&mut Box::pin(cell.current())).await);
    let (_manager, cell) = start(|clock| available(clock, Some(limited(clock, WAIT))));
    assert!(waits(&mut Box::pin(cell.newer_than(first()))).await);

    let longer = WAIT + Duration::from_nanos(1);
    let (_manager, cell) = start(|clock| State::Unavailable(Arc::new(limited(clock, longer))));
    assert!(matches!(cell.current().await, Err(Unavailable::RateLimited(left)) if left == longer));
    let (_manager, cell) = start(|clock| available(clock, Some(limited(clock, longer))));
    assert!(!waits(&mut Box::pin(cell.newer_than(first()))).await);
}

#[tokio::test(start_paused = true)]
async fn only_an_exchange_that_brought_nothing_new_ends_the_wait_for_it() {
    let (mut manager, cell) = start(|clock| available(clock, None));
    let mut newer = Box::pin(cell.newer_than(first()));
    assert!(waits(&mut newer).await);
    assert!(matches!(manager.nudges.try_recv(), Ok(Nudge::Rejected(of)) if of == first()));
    manager.view.send_modify(|view| view.in_band = true);
    assert!(waits(&mut newer).await, "the data path is asked, nobody has answered");
    manager.view.send_modify(|view| (view.begun, view.ended) = (2, 2));
    assert!(newer.await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_began_before_a_401_says_nothing_of_it() {
    let (manager, cell) = start(|clock| available(clock, None));
    manager.view.send_modify(|view| view.begun = 2);
    let mut newer = Box::pin(cell.newer_than(first()));
    assert!(waits(&mut newer).await);
    manager.view.send_modify(|view| view.ended = 2);
    assert!(waits(&mut newer).await);
    manager.view.send_modify(|view| (view.begun, view.ended) = (3, 3));
    assert!(newer.await.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_is_said_again_but_not_during_an_exchange() {
    let (mut manager, cell) = start(|clock| available(clock, None));
    let mut newer = Box::pin(cell.newer_than(first()));
    assert!(waits(&mut newer).await);
    let mut said = || std::iter::from_fn(|| manager.nudges.try_recv().ok()).count();
    assert_eq!(said(), 1);
    advance(SAY_AGAIN).await;
    assert!(waits(&mut newer).await);
    assert_eq!(said(), 1);
    manager.view.send_modify(|view| view.begun = 2);
    advance(3 * SAY_AGAIN).await;
    assert!(waits(&mut newer).await);
    assert_eq!(said(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_token_in_use_outlives_its_manager_and_not_its_end() {
    let (manager, cell) = start(|clock| available(clock, None));
    let current = cell.newer_at_hand(Generation::none()).unwrap();
    assert_eq!(current.authorization, "Bearer token-1");
    assert!(current.authorization.is_sensitive());
    assert_eq!(current.expires_at_ms, 7);
    let Manager { clock, view, .. } = manager;
    drop(view);
    advance(HOUR - Duration::from_millis(1)).await;
    assert_eq!(current.remaining(clock.now()), Duration::from_millis(1));
    assert!(cell.newer_at_hand(Generation::none()).is_some());
    assert!(cell.newer_at_hand(first()).is_none());
    advance(Duration::from_millis(1)).await;
    assert!(cell.newer_at_hand(Generation::none()).is_none());
}
