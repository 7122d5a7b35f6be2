//! curl, in every way in which people and scripts call it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::api::{Api, Version};
use crate::support::came_to_its_end;
use crate::support::daemon::{Builder, Daemon, output};

const INPUTS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

/// Not round in any base.
const SIZES: [usize; 10] = [0, 1, 2, 1023, 4097, 16_383, 16_385, 65_535, 65_537, 1_048_579];

/// A proxy before an API, and a directory with files of each size.
struct World {
    api: Api,
    daemon: Daemon,
    directory: TempDir,
}

impl World {
    async fn start(version: Version) -> Self {
        let api = Api::start(version).await;
        let daemon = Builder::new(&api.base_url()).trust(api.ca_pem()).ready().await;
        let directory = tempfile::tempdir().unwrap();
        for size in SIZES {
            std::fs::write(directory.path().join(size.to_string()), pattern(size)).unwrap();
        }
        Self { api, daemon, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs curl to its end, which must be a good one; gives what it prints.
    async fn curl(&self, arguments: &[&str]) -> String {
        let mut curl = Command::new("curl");
        curl.args(["--disable", "--no-progress-meter", "--show-error", "--fail", "--max-time", "20"]);
        curl.args(["--noproxy", "*"]).args(arguments).current_dir(self.directory.path());
        let (code, text, errors) = output(curl).await;
        assert_eq!(code, 0, "curl {arguments:?}: {text}{errors}");
        text
    }

    async fn ends(self) {
        came_to_its_end(&self.daemon).await;
        self.api.assert_called("curl/");
    }
}

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8).collect()
}

fn at(path: &Path) -> String {
    format!("@{}", path.display())
}

/// Each version in, each version out.
async fn in_each_crossing(test: impl AsyncFn(&World, &str)) {
    for version in [Version::One, Version::Two] {
        let world = World::start(version).await;
        for input in INPUTS {
            eprintln!("{input} {version:?}");
            test(&world, input).await;
        }
        world.ends().await;
    }
}

#[tokio::test]
async fn gets() {
    in_each_crossing(async |world, input| {
        for size in SIZES {
            let url = world.daemon.url(&format!("/bytes/{size}"));
            let version = world.curl(&[input, "-o", "got", "-w", "%{http_version}", &url]).await;
            assert_eq!(version, if input == "--http1.1" { "1.1" } else { "2" });
            assert!(std::fs::read(world.file("got")).unwrap() == pattern(size), "{size}");
        }
    })
    .await;
}

#[tokio::test]
async fn posts_and_puts_files() {
    in_each_crossing(async |world, input| {
        let url = world.daemon.url("/count");
        for size in SIZES {
            let file = world.file(&size.to_string());
            let binary = at(&file);
            let path = file.to_str().unwrap();
            let chunked = ["-H", "Transfer-Encoding: chunked"];
            let ways: [&[&str]; 5] = [
                &["--data-binary", &binary],
                &["--data-binary", &binary, "--no-keepalive"],
                &["-T", path],
                &["-T", path, "-H", "Expect:"],
                &["--data-binary", &binary, "-H", "Expect: 100-continue"],
            ];
            for way in ways {
                assert_eq!(
                    world.curl(&[&[input, &url][..], way].concat()).await,
                    size.to_string(),
                    "{way:?}"
                );
            }
            // Of an empty file curl 7.88 never sends the last chunk, to any server.
            if input == "--http1.1" && size > 0 {
                let arguments = [&[input, &url, "-T", path][..], &chunked].concat();
                assert_eq!(world.curl(&arguments).await, size.to_string());
            }
        }
    })
    .await;
}

/// From a pipe, so that nobody knows the length before.
#[tokio::test]
async fn streams_up_and_down() {
    const LONG: usize = 8_000_009;
    in_each_crossing(async |world, input| {
        std::fs::write(world.file("long"), pattern(LONG)).unwrap();
        let url = world.daemon.url("/count");
        let mut shell = Command::new("sh");
        let piped = "cat long | curl --disable --no-progress-meter --fail --max-time 20 --noproxy '*' \"$0\" -T - \"$1\"";
        shell.args(["-c", piped, input, &url]).current_dir(world.directory.path());
        let (code, text, errors) = output(shell).await;
        assert_eq!((code, text.as_str()), (0, &*LONG.to_string()), "{errors}");

        let url = world.daemon.url(&format!("/stream/{LONG}"));
        world.curl(&[input, "--no-buffer", "-o", "got", &url]).await;
        assert!(std::fs::read(world.file("got")).unwrap() == pattern(LONG));
    })
    .await;
}

#[tokio::test]
async fn many_at_once_and_one_after_the_other() {
    for version in [Version::One, Version::Two] {
        let world = World::start(version).await;
        let url = world.daemon.url("/bytes/[1000-1059]");
        for way in
            [&["-Z", "--parallel-max", "20"][..], &["-Z", "--parallel-immediate"], &[], &["--no-keepalive"]]
        {
            world.curl(&[&["--http1.1", &url, "-o", "part-#1"][..], way].concat()).await;
            for size in 1000..=1059 {
                let part = world.file(&format!("part-{size}"));
                assert!(std::fs::read(&part).unwrap() == pattern(size), "{way:?} {size}");
                std::fs::remove_file(part).unwrap();
            }
        }
        let connections = world.daemon.metric("liquid_proxy_connections_total").await;
        assert!((23.0..).contains(&connections), "{connections} connections are not many at once");
        world.ends().await;
    }
}

/// curl 7.88 cannot use a connection of HTTP/2 twice when it is made with prior knowledge: each is one of its own.
#[tokio::test]
async fn many_at_once_over_http2() {
    for version in [Version::One, Version::Two] {
        let world = World::start(version).await;
        let url = world.daemon.url("/bytes/1021");
        let one = async |name: &str| {
            world.curl(&[INPUTS[1], "-o", name, &url]).await;
            assert!(std::fs::read(world.file(name)).unwrap() == pattern(1021));
        };
        tokio::join!(one("a"), one("b"), one("c"), one("d"), one("e"), one("f"), one("g"), one("h"));
        world.ends().await;
    }
}

#[tokio::test]
async fn asks_for_heads() {
    in_each_crossing(async |world, input| {
        let url = world.daemon.url("/bytes/1021");
        let head = world.curl(&[input, "--head", &url]).await.to_lowercase();
        assert!(head.contains("content-length: 1021\r\n"), "{head}");
        if input == "--http1.1" {
            // The same connection goes on.
            let arguments =
                [input, "--head", &url, "--next", input, "-o", "got", "-w", "%{num_connects}", &url];
            let both = world.curl(&arguments).await;
            assert!(both.starts_with("HTTP/1.1 200") && both.ends_with("\r\n\r\n0"), "{both}");
            assert!(std::fs::read(world.file("got")).unwrap() == pattern(1021));
        }
    })
    .await;
}

/// It honours `Retry-After` itself, on the same connection.
#[tokio::test]
async fn waits_as_long_as_a_429_asks_for() {
    for version in [Version::One, Version::Two] {
        let world = World::start(version).await;
        let url = world.daemon.url("/patience/curl");
        assert_eq!(world.curl(&["--http1.1", "--retry", "3", &url]).await, "patient");
        world.ends().await;
    }
}
