//! Quantities: every one has a smallest and a largest value, so that a slip of a unit is noticed.

use std::time::Duration;

use config::ValueKind;

use super::{Kind, Parse, Refusal, text};

/// Binary units of bytes, the largest first.
const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A duration, written `"30s"`.
pub(in crate::config) struct Time {
    pub(in crate::config) min: Duration,
    pub(in crate::config) max: Duration,
}

impl Kind for Time {
    fn allowed(&self) -> String {
        let shown = humantime::format_duration;
        format!("a duration such as `\"30s\"` or `\"250ms\"`, {} to {}", shown(self.min), shown(self.max))
    }
}

impl Parse for Time {
    type Value = Duration;

    fn parse(&self, value: &ValueKind) -> Result<Duration, Refusal> {
        let duration = match value {
            ValueKind::String(_) => humantime::parse_duration(text(value)?)
                .map_err(|error| Refusal::new(format!("is not a duration: {error}")))?,
            ValueKind::Boolean(_) => return Err(Refusal::new("is not a duration")),
            _ => return Err(Refusal::new("is a number without a unit")),
        };
        within(duration, &self.min, &self.max)
    }
}

/// A number of bytes, written `"64KiB"` or plain.
pub(in crate::config) struct Size {
    pub(in crate::config) min: u64,
    pub(in crate::config) max: u64,
}

impl Kind for Size {
    fn allowed(&self) -> String {
        let (min, max) = (size(self.min), size(self.max));
        format!("a size such as `\"64KiB\"` or a number of bytes, {min} to {max}")
    }
}

impl Parse for Size {
    type Value = u64;

    fn parse(&self, value: &ValueKind) -> Result<u64, Refusal> {
        let bytes = match value {
            ValueKind::String(_) => bytes(text(value)?),
            _ => whole(value),
        };
        within(bytes.ok_or_else(|| Refusal::new("is not a size"))?, &self.min, &self.max)
    }
}

/// A whole number of things.
pub(in crate::config) struct Count {
    pub(in crate::config) min: usize,
    pub(in crate::config) max: usize,
}

impl Kind for Count {
    fn allowed(&self) -> String {
        format!("a whole number, {} to {}", self.min, self.max)
    }

    fn typed(&self, text: &str) -> ValueKind {
        text.parse::<u64>().map_or_else(|_| text.into(), ValueKind::from)
    }
}

impl Parse for Count {
    type Value = usize;

    fn parse(&self, value: &ValueKind) -> Result<usize, Refusal> {
        let count = whole(value).and_then(|count| usize::try_from(count).ok());
        within(count.ok_or_else(|| Refusal::new("is not a whole number in range"))?, &self.min, &self.max)
    }
}

/// A part of a whole.
pub(in crate::config) struct Ratio {
    pub(in crate::config) min: f64,
    pub(in crate::config) max: f64,
}

impl Kind for Ratio {
    fn allowed(&self) -> String {
        format!("a number, {} to {}", self.min, self.max)
    }

    fn typed(&self, text: &str) -> ValueKind {
        text.parse::<f64>().map_or_else(|_| text.into(), ValueKind::from)
    }
}

impl Parse for Ratio {
    type Value = f64;

    fn parse(&self, value: &ValueKind) -> Result<f64, Refusal> {
        let ratio = match value {
            ValueKind::Float(ratio) => Some(*ratio),
            // Only to say "out of range" of a plain 1; precision does not matter there.
            _ => whole(value).map(|number| number as f64),
        };
        within(ratio.ok_or_else(|| Refusal::new("is not a number"))?, &self.min, &self.max)
    }
}

fn within<T: PartialOrd>(value: T, min: &T, max: &T) -> Result<T, Refusal> {
    // A NaN is in no range: it fails both comparisons.
    if value >= *min && value <= *max { Ok(value) } else { Err(Refusal::new("is out of range")) }
}

pub(super) fn whole(value: &ValueKind) -> Option<u64> {
    match value {
        ValueKind::I64(number) => u64::try_from(*number).ok(),
        ValueKind::U64(number) => Some(*number),
        _ => None,
    }
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" => 1,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn size(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| bytes.to_string(), |(name, factor)| format!("{}{name}", bytes / factor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_have_a_unit_and_a_range() {
        let time = Time { min: Duration::from_millis(10), max: Duration::from_secs(60) };
        assert_eq!(time.parse(&"1s 500ms".into()), Ok(Duration::from_millis(1500)));
        for (value, why) in [
            ("5".into(), "is not a duration"),
            ("five".into(), "is not a duration"),
            ("-1s".into(), "is not a duration"),
            ("99999999999999999999999y".into(), "is not a duration"),
            ("1ms".into(), "out of range"),
            ("2min".into(), "out of range"),
            (5_i64.into(), "without a unit"),
            (0.5.into(), "without a unit"),
            (ValueKind::from(true), "is not a duration"),
            ("".into(), "is empty"),
        ] {
            let refusal = time.parse(&value).unwrap_err();
            assert!(refusal.what.contains(why), "{value:?}: {refusal:?}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        let size = Size { min: 1, max: 1 << 40 };
        for (value, bytes) in [
            (ValueKind::from("64KiB"), 65_536),
            ("64 KiB".into(), 65_536),
            ("1MiB".into(), 1_048_576),
            ("1TiB".into(), 1 << 40),
            ("17".into(), 17),
            ("17B".into(), 17),
            (17_i64.into(), 17),
        ] {
            assert_eq!(size.parse(&value), Ok(bytes), "{value:?}");
        }
        for value in [
            "64MB",
            "64k",
            "KiB",
            "1.5MiB",
            "-1",
            "0",
            "2TiB",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert!(size.parse(&value.into()).is_err(), "{value}");
        }
        assert!(size.parse(&(-1_i64).into()).is_err());
    }

    #[test]
    fn numbers_keep_to_their_range() {
        let count = Count { min: 1, max: 10 };
        assert_eq!(count.parse(&count.typed("10")), Ok(10));
        for text in ["0", "11", "1.5", "ten", "-1"] {
            assert!(count.parse(&count.typed(text)).is_err(), "{text}");
        }
        let ratio = Ratio { min: 0.05, max: 0.95 };
        assert_eq!(ratio.parse(&ratio.typed("0.5")), Ok(0.5));
        for text in ["0", "1", "nan", "inf", "half"] {
            assert!(ratio.parse(&ratio.typed(text)).is_err(), "{text}");
        }
        assert_eq!(ratio.parse(&1_i64.into()), Err(Refusal::new("is out of range")));
    }

    proptest! {
        #[test]
        fn a_size_means_what_its_unit_says(number in 0..1_u64 << 20, unit in 0..UNITS.len()) {
            let (name, factor) = UNITS[unit];
            prop_assert_eq!(bytes(&format!("{number}{name}")), Some(number * factor));
            prop_assert_eq!(bytes(&size(number * factor)), Some(number * factor));
        }
    }
}
