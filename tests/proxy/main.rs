//! The program as its users have it: a real process, real sockets, a real API on the other side.

#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]
#![allow(clippy::print_stderr, reason = "a test that fails shows the proxy's log")]
#![allow(unreachable_pub, reason = "what is public in `support` is so for the tests beside it")]

mod support;

mod admin;
mod bodies;
mod browser;
mod callers;
mod clients;
mod clocks;
mod commands;
mod floors;
mod headers;
mod http2;
mod in_band;
mod in_band_ours;
mod leaks;
mod leaving;
mod lifecycle;
mod limits;
mod listen_tls;
mod local_auth;
mod memory;
mod orders;
mod outbound_proxy;
mod paths;
mod protocol;
mod rate_limits;
mod rest;
mod revoked;
mod rotation;
mod sdk;
mod secrets;
mod streaming;
mod tls;
mod token_faults;
mod token_trouble;
mod tokens;
mod unix;
mod upstream_answers;
mod wire;
