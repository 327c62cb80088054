//! Figures for people: bytes, rates and times, as short as can be.

use std::time::Duration;

/// Bytes: `512 B`, `1.2 kB`, `34 MB`.
pub fn bytes(bytes: f64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.iter().find(|(_, unit)| bytes >= *unit * 0.9995) {
        Some((name, unit)) => format!("{} {name}", short(bytes / unit)),
        None => format!("{bytes:.0} B"),
    }
}

/// A time, with the largest unit that fits: `350 ms`, `12 s`, `5 m`, `3 h`, `2 d`.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} m", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A number with at most two digits behind three: `1.2`, `34`.
pub fn short(number: f64) -> String {
    match number < 9.95 {
        true => format!("{number:.1}"),
        false => format!("{number:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        for (number, shown) in [
            (0.0, "0 B"),
            (999.0, "999 B"),
            (1_000.0, "1.0 kB"),
            (9_940.0, "9.9 kB"),
            (123_456.0, "123 kB"),
            (999_999.0, "1.0 MB"),
            (12_345_678.0, "12 MB"),
            (7e9, "7.0 GB"),
        ] {
            assert_eq!(bytes(number), shown);
        }
        for (ms, shown) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_500, "1 s"),
            (119_000, "119 s"),
            (120_000, "2 m"),
            (7_200_000, "2 h"),
            (200_000_000, "2 d"),
        ] {
            assert_eq!(time(Duration::from_millis(ms)), shown);
        }
    }
}
