//! What a service manager says of sockets that it hands over (sd_listen_fds(3)): they take the place of
//! the configured addresses.

use std::ffi::OsString;

use config::ValueKind;

use super::origin::Source;
use super::problem::{Problem, shown};

/// The process that the sockets are for. With another's number the variables were inherited by accident.
const PID: &str = "LISTEN_PID";

/// How many there are.
const COUNT: &str = "LISTEN_FDS";

/// Their names, with colons between them.
const NAMES: &str = "LISTEN_FDNAMES";

/// The variables, where they are meant for this process.
#[derive(Debug, Clone, Default)]
pub struct Activation {
    /// `LISTEN_FDS`
    pub count: Option<String>,
    /// `LISTEN_FDNAMES`
    pub names: Option<String>,
}

/// Which of the sockets that were handed over is whose, counted from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inherited {
    /// The apps' listener.
    pub app: Option<usize>,
    /// The admin listener.
    pub admin: Option<usize>,
}

impl Activation {
    pub(super) fn from_process() -> Self {
        Self::from(std::process::id(), |name| std::env::var_os(name))
    }

    fn from(pid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let text = |name: &str| Some(variable(name)?.to_string_lossy().into_owned());
        if text(PID).and_then(|text| text.parse().ok()) != Some(pid) {
            return Self::default();
        }
        Self { count: text(COUNT), names: text(NAMES) }
    }
}

/// Tells whose each socket is; what does not fit is noted.
pub(super) fn read(activation: &Activation, problems: &mut Vec<Problem>) -> Inherited {
    let mut inherited = Inherited::default();
    let Some(given) = &activation.count else { return inherited };
    let mut refuse = |name: &str, value: Option<&str>, what: String, allowed: &str| {
        problems.push(Problem {
            key: name.to_owned(),
            source: value.map(|_| Source::Variable(name.to_owned())),
            value: value.map(|value| shown(&ValueKind::from(value))),
            what,
            allowed: allowed.to_owned(),
            nearest: None,
        });
    };
    let count = match given.parse::<usize>() {
        Ok(0) => return inherited,
        Ok(count @ (1 | 2)) => count,
        _ => {
            let what = "is not a number of sockets that there is a use for".to_owned();
            refuse(COUNT, Some(given), what, "`1` or `2`: one for the apps, one for the admin listener");
            return inherited;
        }
    };
    let allowed =
        "`app` and `admin`; a socket without a name is `app`. In a socket unit: FileDescriptorName=";
    let given = activation.names.as_deref().filter(|names| !names.is_empty());
    let names: Vec<_> = given.map_or_else(|| vec![""; count], |names| names.split(':').collect());
    if names.len() != count {
        refuse(NAMES, given, format!("has {} names for {count} sockets", names.len()), allowed);
        return inherited;
    }
    for (index, name) in names.into_iter().enumerate() {
        let place = match name {
            // sd_listen_fds_with_names(3) calls those without a name "unknown".
            "app" | "" | "unknown" => &mut inherited.app,
            "admin" => &mut inherited.admin,
            _ => {
                refuse(NAMES, given, "has a name that is not known".into(), allowed);
                continue;
            }
        };
        if place.replace(index).is_some() {
            let what = match given {
                Some(_) => "names two sockets alike",
                None => "must be given where there are two sockets",
            };
            refuse(NAMES, given, what.into(), allowed);
        }
    }
    inherited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(count: &str, names: Option<&str>) -> Result<(Option<usize>, Option<usize>), Vec<String>> {
        let activation = Activation { count: Some(count.to_owned()), names: names.map(str::to_owned) };
        let mut problems = Vec::new();
        let Inherited { app, admin } = read(&activation, &mut problems);
        let told = problems.iter().map(|problem| format!("{} {}", problem.key, problem.what)).collect();
        if problems.is_empty() { Ok((app, admin)) } else { Err(told) }
    }

    #[test]
    fn each_socket_finds_its_place() {
        for (count, names, app, admin) in [
            ("0", None, None, None),
            ("1", None, Some(0), None),
            ("1", Some(""), Some(0), None),
            ("1", Some("unknown"), Some(0), None),
            ("1", Some("app"), Some(0), None),
            ("1", Some("admin"), None, Some(0)),
            ("2", Some("app:admin"), Some(0), Some(1)),
            ("2", Some("admin:app"), Some(1), Some(0)),
            ("2", Some(":admin"), Some(0), Some(1)),
        ] {
            assert_eq!(outcome(count, names), Ok((app, admin)), "{count} {names:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (count, names, what) in [
            ("3", Some("app:admin:x"), "LISTEN_FDS is not a number of sockets that there is a use for"),
            ("-1", None, "LISTEN_FDS is not a number of sockets that there is a use for"),
            ("two", None, "LISTEN_FDS is not a number of sockets that there is a use for"),
            ("2", None, "LISTEN_FDNAMES must be given where there are two sockets"),
            ("2", Some("app"), "LISTEN_FDNAMES has 1 names for 2 sockets"),
            ("1", Some("app:admin"), "LISTEN_FDNAMES has 2 names for 1 sockets"),
            ("2", Some("app:app"), "LISTEN_FDNAMES names two sockets alike"),
            ("2", Some("unknown:app"), "LISTEN_FDNAMES names two sockets alike"),
            ("1", Some("liquid-auth-proxy.socket"), "LISTEN_FDNAMES has a name that is not known"),
        ] {
            assert_eq!(outcome(count, names), Err(vec![what.to_owned()]), "{count} {names:?}");
        }
    }

    #[test]
    fn sockets_of_another_process_are_not_ours() {
        let variables = |pid: &'static str| {
            move |name: &str| {
                let value = match name {
                    PID => pid,
                    COUNT => "1",
                    _ => return None,
                };
                Some(OsString::from(value))
            }
        };
        assert_eq!(Activation::from(7, variables("7")).count.as_deref(), Some("1"));
        for pid in ["8", "", "x", "-7"] {
            assert_eq!(Activation::from(7, variables(pid)).count, None, "{pid}");
        }
        assert_eq!(Activation::from(7, |_| None).count, None);
    }
}
