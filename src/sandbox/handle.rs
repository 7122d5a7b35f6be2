//! What steers a running sandbox, and what it saw.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::calls::{Call, Calls};
use super::clock::Clock;
use super::faults::{Fault, Faults, Scope};
use super::issuer::Issuer;
use super::rate_limit::{Limiter, RateLimit};
use super::world::World;
use super::{OrdersAnswer, Settings};

/// A hand on a sandbox: cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Handle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    orders_answer: OrdersAnswer,
    orders_accept_api_token: bool,
    clock: Clock,
    // Each behind its own lock, none held across an await and none taken while another is held.
    calls: Mutex<Calls>,
    issuer: Mutex<Issuer>,
    faults: Mutex<Faults>,
    limiter: Mutex<Limiter>,
    world: Mutex<World>,
}

impl Handle {
    /// A sandbox that nothing serves yet; see [`router`](super::router()).
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Inner {
            orders_answer: settings.orders_answer,
            orders_accept_api_token: settings.orders_accept_api_token,
            clock: Clock::default(),
            calls: Mutex::new(Calls::new(settings.remember_calls)),
            issuer: Mutex::new(Issuer::new(settings)),
            faults: Mutex::default(),
            limiter: Mutex::default(),
            world: Mutex::default(),
        }))
    }

    /// The last calls, oldest first; see [`Settings::remember_calls`].
    pub fn calls(&self) -> Vec<Call> {
        locked(&self.0.calls).all()
    }

    /// How many of the remembered calls went to exactly this path, with or without `/api` in front.
    pub fn calls_to(&self, path: &str) -> usize {
        locked(&self.0.calls).count(path)
    }

    /// How many calls to `/authentication` were seen since the start, whatever their outcome.
    pub fn authentications(&self) -> u64 {
        locked(&self.0.calls).authentications
    }

    /// How many calls to `/order-authentication` were seen since the start, whatever their outcome.
    pub fn order_authentications(&self) -> u64 {
        locked(&self.0.calls).order_authentications
    }

    /// Forgets the calls, not the counts of authentications.
    pub fn forget_calls(&self) {
        locked(&self.0.calls).forget();
    }

    /// Every token that was issued, of both kinds, oldest first: the last 4096.
    pub fn tokens(&self) -> Vec<String> {
        locked(&self.0.issuer).tokens()
    }

    /// No token issued so far is valid any more.
    pub fn revoke_all(&self) {
        locked(&self.0.issuer).revoke_all();
    }

    /// How long access tokens live that are issued from now on.
    pub fn set_token_lifetime(&self, lifetime: Duration) {
        locked(&self.0.issuer).token_lifetime = lifetime;
    }

    /// How long tokens of the Orders API live that are issued from now on.
    pub fn set_orders_token_lifetime(&self, lifetime: Duration) {
        locked(&self.0.issuer).orders_token_lifetime = lifetime;
    }

    /// Rotates the API key: the old one is refused from now on, tokens stay valid.
    pub fn set_api_key(&self, key: &str) {
        key.clone_into(&mut locked(&self.0.issuer).api_key);
    }

    /// Sets the server's clock ahead of the real one, or behind it: it shows in `timestamp`, `exp`
    /// and `Date`. How long tokens live does not change.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.0.clock.set_offset_ms(offset_ms);
    }

    /// Sets the rate limit, or takes it away; its count starts anew.
    pub fn set_rate_limit(&self, limit: Option<RateLimit>) {
        locked(&self.0.limiter).set(limit);
    }

    /// Sets the fault of a scope, or takes it away. Where several scopes hold a request, the fault
    /// that was set last befalls it.
    pub fn set_fault(&self, scope: Scope, fault: Option<Fault>) {
        locked(&self.0.faults).set(scope, fault);
    }

    pub(super) fn orders_answer(&self) -> OrdersAnswer {
        self.0.orders_answer
    }

    pub(super) fn orders_accept_api_token(&self) -> bool {
        self.0.orders_accept_api_token
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Calls> {
        locked(&self.0.calls)
    }

    pub(super) fn issuer(&self) -> MutexGuard<'_, Issuer> {
        locked(&self.0.issuer)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        locked(&self.0.faults)
    }

    pub(super) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        locked(&self.0.limiter)
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        locked(&self.0.world)
    }
}

/// A panic elsewhere leaves data that is still whole: each change here is a single step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
