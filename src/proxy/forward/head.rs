//! Heads of answers that two readers could take for two things: they are refused, not passed on.
//!
//! What is no HTTP at all the library refuses. It takes more than it has to where an answer tells its
//! length, and where whoever reads it behind us may decide otherwise.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode, Version};

use crate::proxy::error::Refusal;

/// Checks the head of an answer. Of HTTP/2's, the frames tell the length.
pub(super) fn check<B>(answer: &Response<B>) -> Result<(), Refusal> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return refuse("it speaks another protocol from here on");
    }
    if answer.version() == Version::HTTP_2 {
        return Ok(());
    }
    length(answer.headers())
}

/// RFC 9112, section 6.3, read as strictly as it may be.
fn length(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => Ok(()),
        (Some(_), Some(_)) => refuse("it tells its length in two ways"),
        (Some(length), None) => {
            if lengths.next().is_some() {
                return refuse("it tells its length in two ways");
            }
            let is_number = !length.is_empty() && length.as_bytes().iter().all(u8::is_ascii_digit);
            if is_number { Ok(()) } else { refuse("its length is no number") }
        }
        // `TE` asks for no coding, and the coding goes with the connection: the body would be what is left.
        (None, Some(coding))
            if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") =>
        {
            refuse("it has a transfer coding that nobody asked for")
        }
        (None, Some(_)) => Ok(()),
    }
}

fn refuse(why: &str) -> Result<(), Refusal> {
    Err(Refusal::UpstreamProtocolError(why.to_owned()))
}
