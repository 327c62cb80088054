//! Sizes and durations as people type them: `64MiB`, `30s`.
//! Flags are parsed into these, and every message shows a limit in the same form.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: digits, then optionally `KiB`, `MiB` or `GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub usize);

/// A span of time: a decimal number, then optionally `ms`, `s`, `m`, `h`, `d` or `w`; bare numbers are seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span(pub Duration);

const SIZE_UNITS: [(&str, usize); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

// "ms" stands before "s" and "m", because the first unit that fits is taken.
const SPAN_UNITS: [(&str, f64); 6] = [
    ("ms", 0.001),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
    ("w", 604_800.0),
];

/// The longest span a flag takes. Ten years keep `Instant` arithmetic far from overflow.
const LONGEST_SPAN_SECONDS: f64 = 10.0 * 365.0 * 86_400.0;

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is not a size such as 65536, 64KiB, 64MiB or 1GiB");
        let (digits, unit) = SIZE_UNITS
            .iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits, *unit)))
            .unwrap_or((text, 1));
        let number: usize = digits.trim().parse().map_err(|_| wrong())?;
        number.checked_mul(unit).map(Size).ok_or_else(wrong)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let unit = SIZE_UNITS
            .iter()
            .find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        match unit {
            Some((name, unit)) => write!(f, "{}{name}", self.0 / unit),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = SPAN_UNITS
            .iter()
            .find_map(|(name, unit)| text.strip_suffix(name).map(|digits| (digits, *unit)))
            .unwrap_or((text, 1.0));
        match digits.trim().parse::<f64>().map(|number| number * unit) {
            Ok(seconds) if (0.0..=LONGEST_SPAN_SECONDS).contains(&seconds) => {
                Ok(Span(Duration::from_secs_f64(seconds)))
            }
            _ => Err(format!(
                "'{text}' is not a time such as 10, 500ms, 30s, 2m or 30d, up to ten years"
            )),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let millis = self.0.as_millis();
        let (number, unit) = match millis {
            0 => (0, "s"),
            _ if millis.is_multiple_of(86_400_000) => (millis / 86_400_000, "d"),
            _ if millis.is_multiple_of(1_000) => (millis / 1_000, "s"),
            _ => (millis, "ms"),
        };
        write!(f, "{number}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_typed() {
        assert_eq!("65536".parse(), Ok(Size(65_536)));
        assert_eq!("16KiB".parse(), Ok(Size(16_384)));
        assert_eq!("2GiB".parse(), Ok(Size(2 << 30)));
        for bad in [
            "",
            "MiB",
            "-1",
            "1.5MiB",
            "64mb",
            "99999999999999999999",
            "99999999999GiB",
        ] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }

    #[test]
    fn spans_are_read_as_typed() {
        assert_eq!("10".parse(), Ok(Span(Duration::from_secs(10))));
        assert_eq!("0.5".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!("300ms".parse(), Ok(Span(Duration::from_millis(300))));
        assert_eq!("2m".parse(), Ok(Span(Duration::from_secs(120))));
        assert_eq!("1w".parse(), Ok(Span(Duration::from_secs(604_800))));
        for bad in ["", "s", "-1s", "inf", "NaN", "1e300", "10 apples"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(bytes in 0usize..1 << 40, millis in 0u64..1 << 37) {
            prop_assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
            let span = Span(Duration::from_millis(millis));
            let back: Span = span.to_string().parse().unwrap();
            prop_assert!(back.0.abs_diff(span.0) < Duration::from_millis(1));
        }
    }
}
