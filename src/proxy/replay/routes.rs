//! Routes that answer 401 whatever the token: a permission is missing there, not a token.
//!
//! They are remembered for a while, so that they cannot make the proxy renew its token again and again.
//! A revocation that is seen on any other route still renews it at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::Method;
use tokio::time::Instant;

use super::super::path::without_api;
use crate::token::Generation;

/// So many tokens a route must have answered 401 to, one after another: fewer may be revocations that
/// came close behind each other.
const STRIKES: u32 = 2;

/// How long a route is left alone at first, and at most. Two tokens in a row may have been revoked all
/// the same, and nobody else may be there to find out: so another renewal is tried, later each time.
const QUIET_FIRST: Duration = Duration::from_secs(10);

/// See [`QUIET_FIRST`].
const QUIET_MOST: Duration = Duration::from_secs(5 * 60);

/// Each time is so many times longer than the one before.
const QUIET_GROWTH: u32 = 4;

/// How long a route is remembered beyond the time for which it is left alone.
const MEMORY: Duration = Duration::from_secs(5 * 60);

/// As many are remembered: beyond that, the one that would be forgotten first goes.
const MOST: usize = 256;

/// At most so many segments of a path make a route: ids usually come behind them.
const SEGMENTS: usize = 2;

/// The routes that are remembered, over all workers.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    // Nearly always there is none: then nobody takes the lock.
    any: AtomicBool,
    routes: Mutex<HashMap<Route, Entry>>,
}

#[derive(Debug)]
struct Entry {
    strikes: u32,
    /// The latest token that it was.
    latest: Generation,
    /// When the latest strike was.
    at: Instant,
}

impl Entry {
    /// Until when the route is left alone.
    fn quiet_until(&self) -> Instant {
        let times = self.strikes.saturating_sub(STRIKES);
        let quiet = QUIET_FIRST.saturating_mul(QUIET_GROWTH.saturating_pow(times)).min(QUIET_MOST);
        if self.strikes < STRIKES { self.at } else { self.at + quiet }
    }
}

/// A method and the first segments of a path, behind the `/api` that every path may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::proxy) struct Route {
    method: Method,
    path: String,
}

impl Route {
    pub(in crate::proxy) fn of(method: &Method, path: &str) -> Self {
        let path = without_api(path);
        Self { method: method.clone(), path: path[..end(path)].to_ascii_lowercase() }
    }
}

/// Where a route ends in a path: before a segment that looks like an id, too.
fn end(path: &str) -> usize {
    let segments = path.split('/').skip(1).take(SEGMENTS).enumerate();
    let names = segments
        .take_while(|(place, segment)| *place == 0 || !segment.contains(|c: char| c.is_ascii_digit()));
    names.map(|(_, segment)| 1 + segment.len()).sum()
}

impl Routes {
    /// The route has answered 401 to this token, and nothing else was to be had.
    pub(in crate::proxy) fn strike(&self, route: Route, token: Generation) {
        let now = Instant::now();
        let mut routes = self.lock();
        routes.retain(|_, entry| entry.quiet_until() + MEMORY > now);
        if routes.len() >= MOST && !routes.contains_key(&route) {
            let oldest =
                routes.iter().min_by_key(|(_, entry)| entry.quiet_until()).map(|(route, _)| route.clone());
            if let Some(oldest) = oldest {
                routes.remove(&oldest);
            }
        }
        let entry = routes.entry(route).or_insert(Entry { strikes: 1, latest: token, at: now });
        if token > entry.latest {
            *entry = Entry { strikes: entry.strikes.saturating_add(1), latest: token, at: now };
        }
        self.0.any.store(true, Ordering::Relaxed);
    }

    /// Whether the route answers 401 whatever the token, and is to be left alone now.
    pub(in crate::proxy) fn remembers(&self, route: &Route) -> bool {
        self.0.any.load(Ordering::Relaxed)
            && self.lock().get(route).is_some_and(|entry| entry.quiet_until() > Instant::now())
    }

    /// The route of a request has answered something else. Every answer comes by here: nearly always
    /// no route is remembered, and then none is made up for it.
    pub(in crate::proxy) fn forget(&self, method: &Method, path: &str) {
        if self.0.any.load(Ordering::Relaxed) {
            let mut routes = self.lock();
            routes.remove(&Route::of(method, path));
            self.0.any.store(!routes.is_empty(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Route, Entry>> {
        self.0.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str) -> Route {
        Route::of(&Method::GET, path)
    }

    #[test]
    fn ids_do_not_make_a_route() {
        assert_eq!(route("/users/fetch/1"), route("/users/fetch/1/more"));
        assert_eq!(route("/users/fetch/nobody").path, "/users/fetch");
        assert_eq!(route("/api/users/fetch/1").path, "/users/fetch");
        assert_eq!(route("/orders/66f0c2").path, "/orders");
        assert_eq!(route("/users").path, "/users");
        assert_eq!(route("/").path, "/");
        assert_eq!(route("*").path, "");
        assert_ne!(route("/users"), Route::of(&Method::POST, "/users"));
    }

    fn strike_out(routes: &Routes, route: &Route) {
        for token in generations().take(STRIKES as usize) {
            routes.strike(route.clone(), token);
        }
    }

    fn generations() -> impl Iterator<Item = Generation> {
        std::iter::successors(Some(Generation::after(None)), |g| Some(Generation::after(Some(*g))))
    }

    #[tokio::test(start_paused = true)]
    async fn one_token_may_be_a_revocation() {
        let routes = Routes::default();
        let mut tokens = generations();
        let first = tokens.next().unwrap();
        for _ in 0..10 {
            routes.strike(route("/a"), first);
        }
        assert!(!routes.remembers(&route("/a")), "it is the same token each time");
        routes.forget(&Method::GET, "/a");
        routes.strike(route("/a"), tokens.next().unwrap());
        assert!(!routes.remembers(&route("/a")));
        routes.strike(route("/a"), tokens.next().unwrap());
        assert!(routes.remembers(&route("/a")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_is_forgotten_when_it_answers() {
        let routes = Routes::default();
        strike_out(&routes, &route("/a"));
        assert!(routes.remembers(&route("/a")));
        assert!(!routes.remembers(&route("/c")));
        routes.forget(&Method::GET, "/a");
        assert!(!routes.remembers(&route("/a")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_is_tried_again_later_each_time() {
        let routes = Routes::default();
        let mut tokens = generations();
        routes.strike(route("/a"), tokens.next().unwrap());
        let mut quiet = Vec::new();
        for _ in 0..5 {
            routes.strike(route("/a"), tokens.next().unwrap());
            let struck = Instant::now();
            while routes.remembers(&route("/a")) {
                tokio::time::advance(Duration::from_secs(1)).await;
            }
            quiet.push(struck.elapsed().as_secs());
        }
        assert_eq!(quiet, [10, 40, 160, 300, 300]);

        tokio::time::advance(MEMORY).await;
        routes.strike(route("/b"), generations().next().unwrap());
        routes.strike(route("/a"), tokens.next().unwrap());
        assert!(!routes.remembers(&route("/a")), "what was long ago counts no more");
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let routes = Routes::default();
        for number in 0..2 * MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            strike_out(&routes, &route(&format!("/{number}")));
        }
        assert_eq!(routes.lock().len(), MOST);
        assert!(!routes.remembers(&route("/0")));
        assert!(routes.remembers(&route("/511")));
    }
}
