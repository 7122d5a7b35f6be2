//! The program as its users have it: a real process, real sockets, a real API on the other side.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

mod support;

mod smoke;
