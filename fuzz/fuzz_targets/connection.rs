//! A whole connection: any bytes go to the proxy's port, an API writes down what it is sent. The invariants
//! are those of the wire corpus (tests/proxy/wire).

#![no_main]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use liquid_auth_proxy::app::App;
use liquid_auth_proxy::config::{self, Flags, Sources};
use liquid_auth_proxy::listener::Inherited;

use self::issued::TOKEN;
use self::recorder::{Outcome, Recorder};
use self::strict::Request;

#[path = "../../tests/proxy/support/issued.rs"]
mod issued;
#[path = "../../tests/proxy/support/recorder.rs"]
mod recorder;
#[path = "../../tests/proxy/support/strict.rs"]
mod strict;

const KEY: &str = "fuzz-key-5f0c1e";

/// No connection takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How long the proxy may be silent before it is told that nothing more comes.
const PAUSE: Duration = Duration::from_millis(10);

/// How the answer to a good request ends.
const READY: &[u8] = b"\r\n\r\n/ready";

/// The last request of a connection, behind what comes of the fuzzer; and the end of one in HTTP/2.
const LAST: &[u8] = b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const GOAWAY: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The beginning of HTTP/2: what it says is not there to read.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What no request has at the API.
const GONE: [&str; 6] = [
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "upgrade",
    "x-liquid-api-key",
];

static WIRE: OnceLock<Wire> = OnceLock::new();

/// What was sent before.
static BEFORE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// A proxy in front of a recorder.
struct Wire {
    proxy: SocketAddr,
    recorder: Recorder,
}

impl Wire {
    /// Starts both, on a thread of their own.
    fn start() -> Self {
        let (sender, started) = sync_channel(1);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let recorder = Recorder::start().await;
                let app = app(&recorder.base_url());
                let proxy = app.address().to_string().parse().expect("a port");
                sender.send(Self { proxy, recorder }).expect("somebody waits for it");
                app.run(std::future::pending).await.expect("it runs");
            });
        });
        let wire = started.recv().expect("it starts");
        // Until then, no request gets through.
        while !wire.good().ends_with(READY) {}
        wire
    }

    /// The answer to a good request.
    fn good(&self) -> Vec<u8> {
        self.send(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", LIMIT)
    }

    /// Sends bytes. Gives all that comes back until the proxy closes the connection, which it is asked to when
    /// it has said nothing for `pause`.
    fn send(&self, bytes: &[u8], pause: Duration) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.proxy).expect("the proxy takes connections");
        stream.set_nodelay(true).expect("an option");
        stream.set_read_timeout(Some(pause)).expect("a limit");
        // It may have had enough before all is out.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let mut limit = pause;
        loop {
            match stream.read_to_end(&mut answer) {
                Ok(_) => return answer,
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return answer,
                Err(error) if limit == LIMIT => panic!("the proxy hangs: {error}"),
                Err(_) => {
                    limit = LIMIT;
                    stream.set_read_timeout(Some(limit)).expect("a limit");
                    let _ = stream.shutdown(Shutdown::Write);
                }
            }
        }
    }
}

fn app(base_url: &str) -> App {
    let variables = [
        ("LIQUID_UPSTREAM__BASE_URL", base_url),
        ("LIQUID_API_KEY", KEY),
        ("LIQUID_LISTEN__ADDRESS", "127.0.0.1:0"),
        ("LIQUID_ADMIN__ADDRESS", "127.0.0.1:0"),
    ];
    let sources = Sources {
        flags: Flags { environment: Some("staging".into()), ..Flags::default() },
        variables: variables.map(|(name, value)| (name.into(), value.into())).to_vec(),
        ..Sources::default()
    };
    let config = config::load(&sources).expect("the configuration is right").config;
    App::bind(config, Inherited::default()).expect("there are free ports")
}

fuzz_target!(|data: &[u8]| {
    let wire = WIRE.get_or_init(Wire::start);
    let sent = [data, if data.starts_with(PREFACE) { GOAWAY } else { LAST }].concat();
    let answer = wire.send(&sent, PAUSE);
    for secret in [TOKEN, KEY] {
        assert!(holds(data, secret) || !holds(&answer, secret), "a secret came back");
    }
    let good = wire.good();
    assert!(good.ends_with(READY), "the next request got {:?}", String::from_utf8_lossy(&good));

    let before = std::mem::replace(&mut *BEFORE.lock().expect("no panic"), sent.clone());
    for seen in wire.recorder.take() {
        match seen.outcome {
            Outcome::Request(request) if request.target == b"/ready" => check(&request, &wire.recorder),
            Outcome::Request(request) => {
                check(&request, &wire.recorder);
                // A request whose client has gone may arrive late.
                let is_known = [&sent, &before].iter().any(|sent| is_of(sent, &request));
                assert!(is_known, "nobody sent {request:?}");
            }
            Outcome::BrokenOff => {}
            Outcome::Fault(fault) => panic!("{fault}: {:?}", String::from_utf8_lossy(&seen.bytes)),
        }
    }
});

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What every request at the API has.
fn check(request: &Request, recorder: &Recorder) {
    let all = |name: &'static str| request.values(name).collect::<Vec<_>>();
    assert_eq!(all("host"), [recorder.authority().as_bytes()]);
    assert_eq!(all("authorization"), [format!("Bearer {TOKEN}").as_bytes()]);
    let left = GONE.iter().find(|name| request.values(name).next().is_some());
    assert!(left.is_none(), "{left:?} has no business here");
}

/// Whether a strict reader finds a request in the client's bytes; or, behind where that gives up, at least its
/// target. HTTP/2 cannot be read so.
fn is_of(sent: &[u8], request: &Request) -> bool {
    let mut rest = sent;
    while let Ok(strict::Read::Whole(found, length)) = strict::read(rest) {
        if found.method == request.method && found.target == request.target && found.body == request.body {
            return true;
        }
        rest = &rest[length..];
    }
    // A URL may leave out the path's slash.
    let path = request.target.strip_prefix(b"/").unwrap_or(&request.target);
    let stands_there = path.is_empty() || rest.windows(path.len()).any(|window| window == path);
    sent.starts_with(PREFACE) || !rest.is_empty() && stands_there
}
