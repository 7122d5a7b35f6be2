//! The wire corpus: what arrives at the API of bytes that could be read in more than one way.
//!
//! Every row is sent on a connection of its own, all rows at the same time, to one proxy in front of one
//! [`Recorder`]. What that reads, as the strictest of servers, must be what the row says, whole and
//! nothing else; and good requests that are sent behind the row, on its own connection and on
//! another, must get answers of their own.

mod chunks;
mod credentials;
mod exchange;
mod fields;
pub mod frames;
mod framing;
mod hosts;
mod http2;
mod lines;
mod pipelines;
mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use self::row::Row;
use crate::support::daemon::{Builder, Daemon, KEY};
use crate::support::no_request_is_under_way;
use crate::support::recorder::{Outcome, Recorder, Seen};
use crate::support::secrets::Secrets;
use crate::support::strict::{Framing, Request};
use crate::support::upstream::TOKEN;

/// What no request has at the API. No key is to be sent with each of them.
const GONE: [&str; 6] = [
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "upgrade",
    "x-liquid-api-key",
];

/// All of them.
fn rows() -> Vec<Row> {
    [
        framing::rows(),
        chunks::rows(),
        lines::rows(),
        fields::rows(),
        hosts::rows(),
        credentials::rows(),
        pipelines::rows(),
        http2::rows(),
    ]
    .concat()
}

/// A proxy in front of a recorder.
struct Wire {
    recorder: Recorder,
    daemon: Daemon,
    secrets: Secrets,
}

#[tokio::test]
async fn what_arrives_is_what_a_strict_reader_would_allow() {
    let rows = rows();
    let names: BTreeSet<_> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len(), "a name stands for one row");
    let recorder = Recorder::start().await;
    let daemon = Builder::new(&recorder.base_url()).ready().await;
    let secrets = Secrets::new([("the token", TOKEN), ("the key", KEY)]);
    let wire = Arc::new(Wire { recorder, daemon, secrets });

    let mut tasks = tokio::task::JoinSet::new();
    for (number, row) in rows.iter().cloned().enumerate() {
        let wire = wire.clone();
        tasks.spawn(async move { (number, exchange::with(&wire, &row.marked(number)).await) });
    }
    let mut faults = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((_, Ok(()))) => {}
            Ok((number, Err(fault))) => faults.push(format!("{}: {fault}", rows[number].name)),
            Err(error) => faults.push(error.to_string()),
        }
    }
    no_request_is_under_way(&wire.daemon).await;
    faults.extend(what_came(&rows, &wire.recorder));
    assert!(faults.is_empty(), "{} of {} rows:\n{}", faults.len(), rows.len(), faults.join("\n"));

    assert_eq!(wire.daemon.admin("/livez").await.0, 200);
    let log = wire.daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    wire.secrets.assert_absent("the log", &log);
}

/// What is wrong with the requests that the API got.
fn what_came(rows: &[Row], recorder: &Recorder) -> Vec<String> {
    let mut faults = Vec::new();
    let mut came: BTreeMap<usize, Vec<Request>> = BTreeMap::new();
    for Seen { bytes, outcome } in recorder.take() {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let number = match row::marks(&bytes).as_slice() {
            [number] if *number < rows.len() => *number,
            marks => {
                faults.push(format!("a request of {} rows: {shown:?}", marks.len()));
                continue;
            }
        };
        let name = rows[number].name;
        match outcome {
            Outcome::Request(request) => {
                faults
                    .extend(faults_of(&request, recorder).map(|fault| format!("{name}: {fault}: {shown:?}")));
                came.entry(number).or_default().push(request);
            }
            Outcome::BrokenOff if rows[number].may_break_off() => {}
            Outcome::BrokenOff => faults.push(format!("{name}: broke off: {shown:?}")),
            Outcome::Fault(fault) => faults.push(format!("{name}: {fault}: {shown:?}")),
        }
    }
    for (number, row) in rows.iter().enumerate() {
        let marked = row.clone().marked(number);
        let mut expected: Vec<_> = marked.arrives.iter().map(ToString::to_string).collect();
        let mut found: Vec<_> = came
            .remove(&number)
            .unwrap_or_default()
            .iter()
            .filter(|r| !exchange::is_good(r))
            .map(row::shown)
            .collect();
        expected.sort();
        found.sort();
        if expected != found {
            faults.push(format!("{}: there arrived {found:#?} where it should be {expected:#?}", row.name));
        }
    }
    faults
}

/// What every request at the API must have, and what none may.
fn faults_of<'a>(request: &'a Request, recorder: &Recorder) -> impl Iterator<Item = String> + 'a {
    let host = recorder.authority().into_bytes();
    let bearer = format!("Bearer {TOKEN}").into_bytes();
    let only = move |name: &'static str, expected: Vec<u8>| {
        let values: Vec<_> = request.values(name).collect();
        (values != [expected.as_slice()]).then(|| format!("{name} is {values:?}"))
    };
    let extra = GONE.iter().filter(|name| request.values(name).next().is_some());
    let extra = extra.map(|name| format!("{name} has no business here"));
    let framing = (request.framing == Framing::None && !request.body.is_empty()).then(|| "a body".to_owned());
    [only("host", host), only("authorization", bearer), framing].into_iter().flatten().chain(extra)
}
