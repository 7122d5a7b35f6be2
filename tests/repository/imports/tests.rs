//! Samples that break the order, and samples that only look as if they did.

use super::faults;
use crate::{File, assert_caught, assert_none};

/// A crate of empty modules, with one of them, or a new one, holding `text`.
fn with(path: &str, text: &str) -> Vec<File> {
    let all = [
        "lib.rs",
        "main.rs",
        "secret.rs",
        "config.rs",
        "config/load.rs",
        "telemetry.rs",
        "listener.rs",
        "token.rs",
        "token/cell.rs",
        "token/exchange.rs",
        "token/manager.rs",
        "token/store.rs",
        "token/store/file.rs",
        "proxy.rs",
        "proxy/error.rs",
        "proxy/guard.rs",
        "proxy/retry_after.rs",
        "admin.rs",
        "sandbox.rs",
        "sandbox/issuer.rs",
        "app.rs",
        "cli.rs",
    ];
    let mut files: Vec<File> = all.iter().map(|path| ((*path).to_string(), String::new())).collect();
    files.retain(|(name, _)| name != path);
    files.push((path.to_string(), text.to_string()));
    files
}

#[test]
fn a_violation_is_caught_in_every_position() {
    for (path, text, part) in [
        ("config.rs", "use crate::token::Token;", "config names crate::token::Token"),
        ("config.rs", "use crate::{secret, app::App};", "crate::app::App"),
        ("config.rs", "pub use super::listener::*;", "crate::listener::*"),
        ("config/load.rs", "use super::super::listener::Listener;", "crate::listener::Listener"),
        ("config.rs", "fn f(_: &crate::app::App) {}", "crate::app::App"),
        ("config.rs", "fn f() { crate::app::run(); }", "crate::app::run"),
        ("config.rs", "fn f() -> Vec<Option<crate::app::App>> { vec![] }", "crate::app::App"),
        ("config.rs", "impl From<u8> for crate::app::App {}", "crate::app::App"),
        ("config.rs", "fn f() { use crate::app; }", "crate::app"),
        ("config.rs", "fn f() { println!(\"{}\", g(crate::app::NAME)); }", "crate::app::NAME"),
        ("config.rs", "macro_rules! m { () => { $crate::app::run() } }", "crate::app::run"),
        ("config.rs", "#[serde(with = \"crate::app::codec\")] struct S;", "crate::app::codec"),
        ("config.rs", "struct S { #[serde(with = \"crate::app::codec\")] f: u8 }", "crate::app::codec"),
        ("config.rs", "mod inner { use super::super::app::App; }", "crate::app::App"),
        ("main.rs", "fn main() {}\nmod x { use liquid_auth_proxy::nothing; }", "crate's root"),
        ("cli.rs", "use liquid_auth_proxy::main;", "row 10 is not above row 9"),
    ] {
        assert_caught(&faults(&with(path, text)), part);
    }
}

#[test]
fn a_module_brought_in_does_not_hide_what_is_reached_through_it() {
    for text in [
        "use crate::token; fn f() { token::manager::run(); }",
        "use crate::token as t; fn f() { t::manager::run(); }",
        "use crate::token::{self}; fn f() { token::manager::run(); }",
        "use crate::token::{self as t, Token}; use t::manager::Manager;",
        "use crate::token::*; fn f() { manager::run(); }",
        "fn f() { run!(t::manager::run()); } use crate::token as t;",
    ] {
        assert_caught(&faults(&with("proxy.rs", text)), "crate::token::manager");
    }
}

#[test]
fn each_rule_has_its_violation() {
    for (path, text, part) in [
        ("listener.rs", "use crate::telemetry::Metrics;", "row 2 is not above row 2"),
        ("token/cell.rs", "use crate::token::exchange::Grant;", "row 4 is not above row 4"),
        ("token/exchange.rs", "use super::manager::Manager;", "row 5 is not above row 4"),
        ("token.rs", "use crate::token::store::file::File;", "row 4 is not above row 3"),
        ("proxy/guard.rs", "use crate::token::exchange::Grant;", "token and token::cell only"),
        ("proxy.rs", "use crate::token::manager::Manager;", "token and token::cell only"),
        ("sandbox.rs", "use crate::secret::Secret;", "nothing of ours"),
        ("sandbox/issuer.rs", "use crate::VERSION;", "nothing of ours"),
        ("sandbox.rs", "use super::VERSION;", "nothing of ours"),
        ("proxy/guard.rs", "use crate::VERSION;", "crate's root"),
        ("app.rs", "use crate::VERSION;", "crate's root"),
        ("app.rs", "use super::*;", "crate's root"),
        ("secret/my_tests.rs", "use crate::app::App;", "row 8 is not above row 0"),
        ("helpers.rs", "", "src/helpers.rs: in no row"),
        ("helpers/text.rs", "", "src/helpers/text.rs: in no row"),
    ] {
        assert_caught(&faults(&with(path, text)), part);
    }
}

#[test]
fn what_the_order_allows_passes() {
    for (path, text) in [
        ("config.rs", "mod load; pub use load::load; use crate::secret::Secret; use config::Config;"),
        ("config/load.rs", "use super::Config; use config::Environment; fn f() -> ::token::T { loop {} }"),
        ("token/store/file.rs", "use super::Record; use crate::token::Token;"),
        ("token/manager.rs", "use super::{Token, cell::Cell, exchange}; fn f() { exchange::run(); }"),
        ("proxy.rs", "pub mod guard; use guard::Guard; use crate::token::{Token, cell::Cell};"),
        ("proxy/guard.rs", "use super::error::Error;"),
        ("proxy/guard.rs", "use super::{Error, retry_after}; use crate::config::Requests;"),
        ("admin.rs", "use crate::{proxy::error::Error, token::manager::State};"),
        ("sandbox.rs", "mod issuer; use issuer::Issuer; use axum::Router; pub(crate) struct S;"),
        ("sandbox/issuer.rs", "use super::S;"),
        ("secret.rs", "#[cfg(test)] mod tests { use crate::app::App; } #[cfg(test)] use crate::cli;"),
        ("secret.rs", "impl S { #[cfg(test)] fn f() { crate::app::run() } }"),
        ("token.rs", "use self::store as s; fn f() { run!(::s::file::open()); }"),
        ("secret/tests.rs", "use crate::app::App;"),
        ("secret/tests/files.rs", "use crate::app::App;"),
        (
            "secret.rs",
            "/// See [`crate::app`]. \n pub(in crate::config) struct S; fn f(app: u8) -> u8 { app }",
        ),
        ("main.rs", "use liquid_auth_proxy::cli; fn main() { cli::main(); }"),
        ("lib.rs", "pub mod app; pub use app::App;"),
    ] {
        assert_none(&faults(&with(path, text)));
    }
}
