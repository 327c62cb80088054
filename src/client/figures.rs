//! Figures for people: bytes, times and shares, in the same units everywhere; sizes in those of the flags.

use std::time::Duration;

/// `0 B`, `12.3 MiB`, `1.5 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, unit)| count >= *unit) {
        Some((name, unit)) => format!("{} {name}", digits(count as f64 / *unit as f64)),
        None => format!("{count} B"),
    }
}

/// `0 ms`, `0.35 ms`, `1.2 s`, `2.5 min`, `3.0 h`, `30 days`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds >= 172_800.0 => format!("{:.0} days", seconds / 86_400.0),
        _ if seconds >= 7_200.0 => format!("{} h", digits(seconds / 3_600.0)),
        _ if seconds >= 120.0 => format!("{} min", digits(seconds / 60.0)),
        _ if seconds >= 1.0 => format!("{} s", digits(seconds)),
        _ if time.is_zero() => "0 ms".into(),
        _ => format!("{} ms", digits(seconds * 1_000.0)),
    }
}

/// `37 %` of a whole that is not 0.
pub fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 / whole.max(1) as f64 * 100.0;
    match percent {
        _ if part == 0 => "0 %".into(),
        _ if percent < 1.0 => "less than 1 %".into(),
        _ => format!("{percent:.0} %"),
    }
}

/// A number: one decimal where there are few digits before it, two where there is none.
pub fn digits(value: f64) -> String {
    match value {
        _ if value >= 99.95 => format!("{value:.0}"),
        _ if value >= 0.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(916_568), "895 KiB");
        assert_eq!(bytes(8 << 30), "8.0 GiB");
        assert_eq!(bytes(u64::MAX), "16777216 TiB");
        assert_eq!(time(Duration::ZERO), "0 ms");
        assert_eq!(time(Duration::from_micros(350)), "0.35 ms");
        assert_eq!(time(Duration::from_millis(12)), "12.0 ms");
        assert_eq!(time(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(time(Duration::from_secs(150)), "2.5 min");
        assert_eq!(time(Duration::from_secs(30 * 86_400)), "30 days");
        assert_eq!(share(0, 0), "0 %");
        assert_eq!(share(1, 1_000), "less than 1 %");
        assert_eq!(share(37, 100), "37 %");
    }
}
