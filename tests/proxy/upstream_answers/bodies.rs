//! Bodies: chunks, and what is shorter than it says.

use super::{Row, Sees, check};

const HI: Sees = Sees::Whole(200, "hi");
const BROKEN: Sees = Sees::BrokenOff(200, "");

fn chunked(body: &str, sees: Sees) -> Row {
    Row::new(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{body}"), sees)
}

#[tokio::test]
async fn chunks() {
    check([
        chunked("2\r\nhi\r\n0\r\n\r\n", HI),
        chunked("1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", HI),
        chunked("0002\r\nhi\r\n0\r\n\r\n", HI),
        chunked("2;a=b\r\nhi\r\n0;c\r\n\r\n", HI),
        chunked("2 ;a=\"b\"\r\nhi\r\n0\r\n\r\n", HI),
        chunked("2\r\nhi\r\n0\r\nx-trailer: y\r\n\r\n", HI),
        chunked("0\r\n\r\n", Sees::Whole(200, "")),
        chunked("x\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("-2\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("+2\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("0x2\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("2 2\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("2\nhi\n0\n\n", BROKEN),
        chunked("2\rhi\r0\r\r", BROKEN),
        chunked("2\r\nhi0\r\n\r\n", Sees::BrokenOff(200, "hi")),
        chunked("2\r\nhi!\r\n0\r\n\r\n", Sees::BrokenOff(200, "hi")),
        chunked("2\r\nhi\n0\r\n\r\n", Sees::BrokenOff(200, "hi")),
        chunked("2;a\nb\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("10000000000000000\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("10000000000000002\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\r\nhi\r\n0\r\n\r\n", BROKEN),
        chunked(&format!("2;{}\r\nhi\r\n0\r\n\r\n", "x".repeat(40_000)), BROKEN),
        chunked(&"1;xxxxxxxx\r\nh\r\n".repeat(10_000), Sees::BrokenOff(200, "h")),
        chunked(&format!("2\r\nhi\r\n0\r\nx: {}\r\n\r\n", "y".repeat(100_000)), Sees::BrokenOff(200, "hi")),
        chunked(&format!("2\r\nhi\r\n0\r\n{}\r\n", "x: y\r\n".repeat(5_000)), Sees::BrokenOff(200, "hi")),
        chunked("2\r\nhi\r\n0\r\nx : y\r\n\r\n", Sees::BrokenOff(200, "hi")),
        chunked("2\r\nhi\r\n0\r\nno colon\r\n\r\n", Sees::BrokenOff(200, "hi")),
    ])
    .await;
}

#[tokio::test]
async fn bodies_that_are_shorter_than_they_say() {
    let row = |answer: &str, sees| Row::new(answer, sees).closed();
    check([
        row("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nhi", Sees::BrokenOff(200, "hi")),
        row("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n", BROKEN),
        row("HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551613\r\n\r\nhi", Sees::BrokenOff(200, "hi")),
        chunked("", BROKEN).closed(),
        chunked("2", BROKEN).closed(),
        chunked("2\r\nh", Sees::BrokenOff(200, "h")).closed(),
        chunked("2\r\nhi\r\n", Sees::BrokenOff(200, "hi")).closed(),
        chunked("2\r\nhi\r\n0\r\n", Sees::BrokenOff(200, "hi")).closed(),
        // Without a length it ends when its connection does, whyever that is.
        row("HTTP/1.1 200 OK\r\n\r\nhi", HI),
    ])
    .await;
}
