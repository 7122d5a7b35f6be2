//! Sends a row, reads what comes back, and sees that good requests behind it get answers of their own.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Wire;
use super::frames;
use super::row::{Back, Protocol, Row};
use crate::support::strict::Request;

/// No answer takes longer, with all rows under way at once.
const LIMIT: Duration = Duration::from_secs(15);

/// What hyper says when it gives up on a connection, and we on a request that is not whole.
const REFUSALS: [u16; 3] = [400, 414, 431];

/// Behind the mark in the target of a good request.
const GOOD: &str = "-good";

/// A connection, and what came on it.
pub struct Link {
    stream: TcpStream,
    pub read: Vec<u8>,
}

/// Sends a row with its mark. Gives what is wrong with what came back.
pub async fn with(wire: &Wire, row: &Row) -> Result<(), String> {
    let mut link = Link::open(wire).await?;
    match row.protocol {
        Protocol::Http1 => http1(&mut link, row).await?,
        Protocol::Http2 => frames::exchange(&mut link, row).await?,
    }
    wire.secrets.assert_absent(row.name, &link.read);

    let mut other = Link::open(wire).await?;
    good(&mut other, row, "elsewhere").await?;
    wire.secrets.assert_absent(row.name, &other.read);
    Ok(())
}

/// Whether this is one of the requests that are sent behind a row.
pub fn is_good(request: &Request) -> bool {
    request.target.ends_with(GOOD.as_bytes())
}

async fn http1(link: &mut Link, row: &Row) -> Result<(), String> {
    // It may be refused before all of it is out.
    let _ = link.send(&row.bytes).await;
    match &row.back {
        Back::Answers(statuses) => {
            let answers = link.answers(statuses.len()).await?;
            check(&answers, statuses, row)?;
            good(link, row, "on the same connection").await
        }
        Back::Last(statuses) => {
            let answers = answers(&link.until_closed().await?);
            check(&answers, statuses, row)
        }
        Back::Refused(before) => refused(&link.until_closed().await?, before, row),
        Back::Cut(before) => {
            let _ = link.stream.shutdown().await;
            refused(&link.until_closed().await?, before, row)
        }
    }
}

fn refused(read: &[u8], before: &[u16], row: &Row) -> Result<(), String> {
    let mut answers = answers(read);
    if answers.len() > before.len() && answers.last().is_some_and(|(status, _)| REFUSALS.contains(status)) {
        answers.pop();
    }
    check(&answers, before, row)
}

/// The statuses are these, and each answer that is the API's is about its own request.
fn check(answers: &[Answer], expected: &[u16], row: &Row) -> Result<(), String> {
    let statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    if statuses != expected {
        return Err(format!("the answers are {statuses:?}, not {expected:?}"));
    }
    let targets = row.arrives.iter().filter_map(|arrives| arrives.split(' ').nth(1));
    let echoes =
        answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body.escape_ascii().to_string());
    match targets.zip(echoes).find(|(target, echo)| target != echo) {
        Some((target, echo)) => Err(format!("the answer to {target} is {echo:?}")),
        None => Ok(()),
    }
}

/// Sends a good request with the row's mark, and reads its answer.
async fn good(link: &mut Link, row: &Row, place: &str) -> Result<(), String> {
    let target = good_target(row);
    let before = answers(&link.read).len();
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    link.send(request.as_bytes()).await.map_err(|error| format!("a good request {place}: {error}"))?;
    let answers =
        link.answers(before + 1).await.map_err(|fault| format!("a good request {place}: {fault}"))?;
    match answers.last() {
        Some((200, body)) if body.as_slice() == target.as_bytes() => Ok(()),
        other => Err(format!("a good request {place} got {other:?}")),
    }
}

/// Where the good requests behind a row go.
pub fn good_target(row: &Row) -> String {
    format!("/{}{GOOD}", row.mark)
}

type Answer = (u16, Vec<u8>);

/// The answers that are whole.
fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
        let Some(body) = bytes[end + 4..].get(..length) else { break };
        answers.push((status, body.to_vec()));
        bytes = &bytes[end + 4 + length..];
    }
    answers
}

impl Link {
    async fn open(wire: &Wire) -> Result<Self, String> {
        let stream = TcpStream::connect(wire.daemon.address()).await.map_err(|error| error.to_string())?;
        Ok(Self { stream, read: Vec::new() })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(LIMIT, self.stream.write_all(bytes)).await?
    }

    /// Reads on; `false` at the end, clean or not.
    pub async fn more(&mut self) -> Result<bool, String> {
        match timeout(LIMIT, self.stream.read_buf(&mut self.read)).await {
            Ok(read) => Ok(read.is_ok_and(|read| read > 0)),
            Err(_) => Err(format!("nothing comes behind {:?}", String::from_utf8_lossy(&self.read))),
        }
    }

    async fn answers(&mut self, count: usize) -> Result<Vec<Answer>, String> {
        loop {
            let answers = answers(&self.read);
            if answers.len() >= count {
                return Ok(answers);
            }
            if !self.more().await? {
                return Err(format!("closed behind {:?}", String::from_utf8_lossy(&self.read)));
            }
        }
    }

    async fn until_closed(&mut self) -> Result<Vec<u8>, String> {
        while self.more().await? {}
        Ok(self.read.clone())
    }
}
