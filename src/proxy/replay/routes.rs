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

/// How long a route is remembered.
const MEMORY: Duration = Duration::from_secs(5 * 60);

/// As many are remembered: beyond that, the one that would be forgotten first goes.
const MOST: usize = 256;

/// So many segments of a path make a route: ids usually come behind them.
const SEGMENTS: usize = 3;

/// The routes that are remembered, over all workers.
#[derive(Debug, Clone, Default)]
pub struct Routes(Arc<Memory>);

#[derive(Debug, Default)]
struct Memory {
    // Nearly always there is none: then nobody takes the lock.
    any: AtomicBool,
    until: Mutex<HashMap<Route, Instant>>,
}

/// A method and the first segments of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::proxy) struct Route {
    method: Method,
    path: String,
}

impl Route {
    pub(in crate::proxy) fn of(method: &Method, path: &str) -> Self {
        let end = path.match_indices('/').nth(SEGMENTS).map_or(path.len(), |(at, _)| at);
        Self { method: method.clone(), path: path[..end].to_ascii_lowercase() }
    }
}

impl Routes {
    /// The route has answered 401 to a token just issued.
    pub(in crate::proxy) fn remember(&self, route: Route) {
        let now = Instant::now();
        let mut until = self.lock();
        until.retain(|_, end| *end > now);
        if until.len() >= MOST && !until.contains_key(&route) {
            let oldest = until.iter().min_by_key(|(_, end)| **end).map(|(route, _)| route.clone());
            if let Some(oldest) = oldest {
                until.remove(&oldest);
            }
        }
        until.insert(route, now + MEMORY);
        self.0.any.store(true, Ordering::Relaxed);
    }

    /// Whether the route answers 401 whatever the token.
    pub(in crate::proxy) fn remembers(&self, route: &Route) -> bool {
        self.0.any.load(Ordering::Relaxed)
            && self.lock().get(route).is_some_and(|until| *until > Instant::now())
    }

    /// The route has answered something else.
    pub(in crate::proxy) fn forget(&self, route: &Route) {
        if self.0.any.load(Ordering::Relaxed) {
            let mut until = self.lock();
            until.remove(route);
            self.0.any.store(!until.is_empty(), Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Route, Instant>> {
        self.0.until.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(route("/api/users/fetch/1").path, "/api/users/fetch");
        assert_eq!(route("/users").path, "/users");
        assert_ne!(route("/users"), Route::of(&Method::POST, "/users"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_route_is_forgotten_in_time_or_when_it_answers() {
        let routes = Routes::default();
        routes.remember(route("/a"));
        routes.remember(route("/b"));
        assert!(routes.remembers(&route("/a")));
        assert!(!routes.remembers(&route("/c")));
        routes.forget(&route("/a"));
        assert!(!routes.remembers(&route("/a")));
        tokio::time::advance(MEMORY).await;
        assert!(!routes.remembers(&route("/b")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let routes = Routes::default();
        for number in 0..2 * MOST {
            tokio::time::advance(Duration::from_millis(1)).await;
            routes.remember(route(&format!("/{number}")));
        }
        assert_eq!(routes.lock().len(), MOST);
        assert!(!routes.remembers(&route("/0")));
        assert!(routes.remembers(&route("/511")));
    }
}
