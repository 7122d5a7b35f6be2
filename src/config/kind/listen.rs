//! Where to listen, and who may connect to a socket in the file system. Nothing is looked up, neither a
//! host's name nor a user's.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use config::ValueKind;

use super::{Kind, Parse, Refusal, text, whole};
use crate::config::Address;

/// The most bytes of a Unix socket's path: `sun_path` has 108, and the last one ends it (unix(7)).
const MAX_UNIX_PATH: usize = 107;

/// An address to listen on.
pub(in crate::config) struct ListenAddress;

impl Kind for ListenAddress {
    fn allowed(&self) -> String {
        format!(
            "`IP:port`, `[IPv6]:port` or `localhost:port`, where port 0 takes any free one; or `unix:/path`, \
             absolute and at most {MAX_UNIX_PATH} bytes"
        )
    }
}

impl Parse for ListenAddress {
    type Value = Address;

    fn parse(&self, value: &ValueKind) -> Result<Address, Refusal> {
        let given = text(value)?;
        if let Some(path) = given.strip_prefix("unix:") {
            return unix_path(path).map(Address::Unix);
        }
        let address = match given.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(|port| (Ipv4Addr::LOCALHOST, port).into()),
            None => given.parse().ok(),
        };
        address.map(Address::Tcp).ok_or_else(|| Refusal::new("is not an address to listen on"))
    }
}

fn unix_path(path: &str) -> Result<PathBuf, Refusal> {
    if !path.starts_with('/') {
        return Err(Refusal::new("has a path that is not absolute"));
    }
    if path.len() > MAX_UNIX_PATH {
        return Err(Refusal::new(format!("has a path of {} bytes", path.len())));
    }
    if path.chars().any(char::is_control) {
        return Err(Refusal::new("has a control character in its path"));
    }
    let names_a_file = !path.ends_with(['/']) && !path.ends_with("/.") && !path.ends_with("/..");
    if names_a_file { Ok(path.into()) } else { Err(Refusal::new("has a path that names a directory")) }
}

/// The permission bits of a file, written `"0660"`.
pub(in crate::config) struct Mode;

impl Kind for Mode {
    fn allowed(&self) -> String {
        "an octal mode in quotes such as `\"0660\"`: `0` and three digits".into()
    }
}

impl Parse for Mode {
    type Value = u32;

    fn parse(&self, value: &ValueKind) -> Result<u32, Refusal> {
        // As a number it would be read as a decimal one, which is another mode.
        let given = text(value)?;
        let digits = given.strip_prefix('0').filter(|digits| digits.len() == 3);
        digits
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| u32::from_str_radix(digits, 8).ok())
            .ok_or_else(|| Refusal::new("is not an octal mode"))
    }
}

/// The number of a user.
pub(in crate::config) struct Uid;

impl Kind for Uid {
    fn allowed(&self) -> String {
        "numbers of users such as `1000`".into()
    }

    fn typed(&self, text: &str) -> ValueKind {
        text.parse::<u64>().map_or_else(|_| text.into(), ValueKind::from)
    }
}

impl Parse for Uid {
    type Value = u32;

    fn parse(&self, value: &ValueKind) -> Result<u32, Refusal> {
        if matches!(value, ValueKind::String(text) if text.is_empty()) {
            return Err(Refusal::new("is empty"));
        }
        // The highest is none: as -1 it stands for "no change" (chown(2)).
        let uid = whole(value).and_then(|uid| u32::try_from(uid).ok()).filter(|uid| *uid != u32::MAX);
        uid.ok_or_else(|| Refusal::new("is not the number of a user"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_ip_and_port_or_a_path() {
        let longest = format!("unix:/{}", "x".repeat(MAX_UNIX_PATH - 1));
        for (given, address) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("localhost:8000", "127.0.0.1:8000"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("unix:/run/liquid/app.sock", "unix:/run/liquid/app.sock"),
            (&longest, &longest),
        ] {
            assert_eq!(ListenAddress.parse(&given.into()).unwrap().to_string(), address);
        }
        for (given, why) in [
            ("", "is empty"),
            ("8000", "is not an address"),
            (":8000", "is not an address"),
            ("localhost", "is not an address"),
            ("localhost:", "is not an address"),
            ("127.0.0.1:65536", "is not an address"),
            ("example.com:80", "is not an address"),
            ("/run/x", "is not an address"),
            ("UNIX:/run/x", "is not an address"),
            ("unix:", "not absolute"),
            ("unix:run/x", "not absolute"),
            ("unix:@abstract", "not absolute"),
            ("unix:/", "names a directory"),
            ("unix:/run/", "names a directory"),
            ("unix:/run/..", "names a directory"),
            ("unix:/run/x\n", "control character"),
            ("unix:/run/x\0", "control character"),
            (&format!("{longest}x"), "108 bytes"),
        ] {
            let refusal = ListenAddress.parse(&given.into()).unwrap_err();
            assert!(refusal.what.contains(why), "{given:?}: {refusal:?}");
        }
    }

    #[test]
    fn modes_are_octal_and_look_it() {
        for (given, mode) in [("0600", 0o600), ("0660", 0o660), ("0777", 0o777), ("0000", 0)] {
            assert_eq!(Mode.parse(&Mode.typed(given)), Ok(mode));
        }
        for value in [
            "".into(),
            "600".into(),
            "0o600".into(),
            "u=rw".into(),
            "0800".into(),
            "0+77".into(),
            "00600".into(),
            "4600".into(),
            ValueKind::from(600_i64),
            0o600_i64.into(),
        ] {
            assert!(Mode.parse(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn users_are_numbers() {
        for (given, uid) in [("0", 0), ("1000", 1000), ("4294967294", u32::MAX - 1)] {
            assert_eq!(Uid.parse(&Uid.typed(given)), Ok(uid));
        }
        for given in ["", "root", "-1", "4294967295", "4294967296", "1.5"] {
            assert!(Uid.parse(&Uid.typed(given)).is_err(), "{given}");
        }
    }
}
