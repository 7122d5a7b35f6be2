//! The program as its users have it: a real process, real sockets, a real API on the other side.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]
#![allow(unreachable_pub, reason = "what is public in `support` is so for the tests beside it")]

mod support;

mod bodies;
mod headers;
mod http2;
mod leaving;
mod limits;
mod paths;
mod rate_limits;
mod streaming;
mod tls;
