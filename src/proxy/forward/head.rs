//! Heads of answers that two readers could take for two things: they are refused, not passed on.
//!
//! What is no HTTP at all the library refuses. It takes more than it has to where an answer tells its
//! length, and where whoever reads it behind us may decide otherwise.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode, Version};

use crate::proxy::error::Refusal;
use crate::proxy::present::Present;

/// Checks the head of an answer that has these headers. Of HTTP/2's, the frames tell the length.
pub(super) fn check<B>(answer: &Response<B>, present: Present) -> Result<(), Refusal> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return refuse("it speaks another protocol from here on");
    }
    if answer.version() == Version::HTTP_2 {
        return Ok(());
    }
    match (present.any(Present::CONTENT_LENGTH), present.any(Present::TRANSFER_ENCODING)) {
        (true, true) => refuse("it tells its length in two ways"),
        (true, false) => length(answer.headers()),
        (false, true) => coding(answer.headers()),
        (false, false) => Ok(()),
    }
}

/// RFC 9112, section 6.3, read as strictly as it may be.
fn length(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (_, Some(_)) => refuse("it tells its length in two ways"),
        (Some(length), None) if length.is_empty() || !length.as_bytes().iter().all(u8::is_ascii_digit) => {
            refuse("its length is no number")
        }
        (_, None) => Ok(()),
    }
}

/// `TE` asks for no coding, and the coding goes with the connection: the body would be what is left.
fn coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => refuse("it has a transfer coding that nobody asked for"),
    }
}

fn refuse(why: &str) -> Result<(), Refusal> {
    Err(Refusal::UpstreamProtocolError(why.to_owned()))
}
