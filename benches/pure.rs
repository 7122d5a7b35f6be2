//! The pure steps of a request, each by itself: `cargo bench --features fuzzing --bench pure`, with a filter such as `-- path`.
//!
//! They are a small part of what a request costs, which `make gate` counts as a whole. This tells what one
//! of them costs while it is being changed.

use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, request};
use liquid_auth_proxy::config::{self, Flags, Rule, Sources};
use liquid_auth_proxy::fuzz_targets::steps::{Paths, Ruled, asks, form};
use liquid_auth_proxy::proxy::Callers;
use liquid_auth_proxy::proxy::retry_after::retry_after;

/// A request's head as the vendor's SDK sends it.
fn head(path: &str) -> request::Parts {
    let request = Request::post(path)
        .header("host", "localhost:8000")
        .header("accept", "*/*")
        .header("accept-encoding", "gzip, deflate")
        .header("content-type", "application/json")
        .header("content-length", "900")
        .header("sec-fetch-mode", "cors")
        .header("user-agent", "node");
    request.body(()).expect("a request").into_parts().0
}

fn path(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("path");
    let paths = Paths::new(&["/orders", "/api/orders"]);
    for (name, path, is_sent) in [
        ("plain", "/api/catalog/availability", true),
        ("orders", "/api/orders/1f3870be274f6c49", true),
        ("escaped", "/api/users/fetch/Jos%C3%A9", true),
        ("doubtful", "/api/cart//%252e%252e/orders;v=1", false),
    ] {
        assert_eq!(paths.is_sent(path), is_sent, "{path}");
        group.bench_function(name, |b| b.iter(|| paths.is_sent(black_box(path))));
    }
}

fn rules(criterion: &mut Criterion) {
    let rule = |prefix: &str| Rule { method: Some(Method::POST), prefix: prefix.to_owned() };
    let deny = ["/checkout", "/users/purge", "/webhook"].map(rule).to_vec();
    let allow = ["/catalog", "/address", "/cart", "/users"].map(rule).to_vec();
    let ruled = Ruled::new(allow, deny);
    let (allowed, denied) = (head("/api/users/session"), head("/api/users/purge"));
    assert!(ruled.passes(&allowed) && !ruled.passes(&denied));
    let mut group = criterion.benchmark_group("rules");
    group.bench_function("allowed by the last", |b| b.iter(|| ruled.passes(black_box(&allowed))));
    group.bench_function("denied", |b| b.iter(|| ruled.passes(black_box(&denied))));
}

fn guard(criterion: &mut Criterion) {
    let flags = Flags { environment: Some("sandbox".into()), ..Flags::default() };
    let loaded = config::load(&Sources { flags, ..Sources::default() }).expect("the default configuration");
    let callers = Callers::new(&loaded.config.listen, loaded.config.listen.address.ip(), None);
    let ours = head("/api/cart/update");
    assert!(callers.check(&ours).is_ok() && form(&ours));
    let mut group = criterion.benchmark_group("guard");
    group.bench_function("host and origin", |b| b.iter(|| callers.check(black_box(&ours)).is_ok()));
    group.bench_function("form", |b| b.iter(|| form(black_box(&ours))));
}

fn waits(criterion: &mut Criterion) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
    let mut group = criterion.benchmark_group("retry_after");
    for (name, header, value) in [
        ("seconds", "retry-after", "120"),
        ("date", "retry-after", "Sun, 06 Nov 1994 08:51:37 GMT"),
        ("dictionary", "ratelimit", "\"minute\";r=0;t=120"),
    ] {
        let value = HeaderValue::from_static(value);
        let headers = HeaderMap::from_iter([(HeaderName::from_static(header), value)]);
        assert_eq!(retry_after(&headers, now).wait.as_secs(), 120, "{name}");
        group.bench_function(name, |b| b.iter(|| retry_after(black_box(&headers), now)));
    }
}

fn scan(criterion: &mut Criterion) {
    let head = head("/api/cart/update");
    let mut group = criterion.benchmark_group("scan");
    for (name, size) in [("900 B", 900), ("64 KiB", 64 << 10)] {
        let item = br#"{"upc":"619947000020","quantity":1,"name":"Caf\u00e9"},"#;
        let body: Vec<u8> = item.iter().copied().cycle().take(size).collect();
        assert!(!asks(&head, &body));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |b| b.iter(|| asks(black_box(&head), black_box(&body))));
    }
}

criterion_group! {
    name = steps;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = path, rules, guard, waits, scan
}
criterion_main!(steps);
