//! `liquid-auth-proxy`: a daemon beside an application that puts a fresh LiquidCommerce access token on
//! each of its requests.
//!
//! It keeps three promises. The credential never reaches an app: neither key nor token is in any answer,
//! log line, metric or page. Token handling is invisible: no request fails because a token expired or
//! was being renewed. Every answer says who gave it: what the proxy itself answers is marked, and shaped
//! like the API's own errors.
//!
//! # A request
//!
//! [`proxy::Proxy::serve`] reads as a request's life:
//!
//! ```text
//! app ── worker ── guard ── local_auth? ── cell.current ── inject ── forward ── API
//!   │                │           │               │                       │
//!   │                └ refused   └ a placeholder └ waits, or 503         └ 502, 504
//!   │                                            ▲                       │
//!   │                        newer token, once ──┴── observe (401) ◄─────┤
//!   └── answer ◄── in_band (masks a new token) ◄──── observe (429) ◄─────┘
//! ```
//!
//! A [`worker`] is a thread with a runtime, client connections and a pool of connections to the API of
//! its own; a request never leaves its worker. Bodies stream in both directions. What the proxy answers
//! itself comes from [`proxy::error`], the only place where a status of its own is chosen.
//!
//! # A credential
//!
//! ```text
//! secret ── exchange ── Grant ── manager ──(watch)── cell ── inject
//!   │                               ▲                 │
//!   └── file changed ───────────────┴───(bounded)─────┘  no token, a 401, or a token that came in band
//! ```
//!
//! One task, [`token::manager`], owns a credential's token. [`token::schedule`] tells it when to renew
//! and when to try again; [`token::exchange`] asks the API. It publishes a [`token::State`] that each
//! worker sees through a [`token::cell`]; others can only nudge it, so there is never more than one
//! exchange under way. It runs on the control runtime with the [`admin`] listener, apart from the workers.
//!
//! # The order of imports
//!
//! A file imports from rows above its own, from its parent, its children and the files of its own part;
//! a test keeps it so.
//!
//! | row | modules |
//! |---|---|
//! | 0 | [`secret`], [`lifecycle`], [`sandbox`] (which imports nothing of ours), [`proxy::retry_after`] |
//! | 1 | [`config`] |
//! | 2 | [`telemetry`], [`listener`], [`tls`] |
//! | 3 | [`token`]: the vocabulary |
//! | 4 | [`token::schedule`], [`token::exchange`], [`token::cell`] |
//! | 5 | [`token::manager`] |
//! | 6 | [`proxy`] (sees [`token`] and [`token::cell`] only) |
//! | 7 | [`admin`], [`worker`] |
//! | 8 | [`app`]: the only file that knows all parts |
//! | 9 | [`cli`] |

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzz_targets;
pub mod lifecycle;
pub mod listener;
pub mod proxy;
pub mod sandbox;
pub mod secret;
pub mod telemetry;
pub mod tls;
pub mod token;
pub mod worker;
