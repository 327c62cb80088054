//! Places in a stream as people type them behind `--from` and `--until`, made what the store understands: besides its own forms
//! (`ptg_store::words::cursor`) these are times of this machine's clock, and longer spans back from now.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, Zoned};
use ptg_store::words::cursor::{Cursor, Until};
use ptg_store::words::units;

use super::{Console, Failure, figures};

/// A place.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    /// As the store takes it.
    pub wire: String,
    /// The moment that it is, if it is one.
    moment: Option<Timestamp>,
}

/// The value of `--from`.
pub fn from(text: &str) -> Result<Typed, Failure> {
    let now = Zoned::now();
    let is_word = matches!(text.parse(), Ok(cursor) if !matches!(cursor, Cursor::Since(_)));
    read(text, is_word, &now).ok_or_else(|| wrong("--from", text, &now))
}

/// The value of `--until`.
pub fn until(text: &str) -> Result<Typed, Failure> {
    let now = Zoned::now();
    let is_word = matches!(text.parse(), Ok(until) if !matches!(until, Until::Moment(_)));
    read(text, is_word, &now).ok_or_else(|| wrong("--until", text, &now))
}

fn wrong(flag: &str, text: &str, now: &Zoned) -> Failure {
    let shown = if text.is_empty() { "''" } else { text };
    Failure::Usage(format!("{flag} {shown}: {}", fault(text, now)))
}

impl Typed {
    /// Says to somebody at a terminal which moment it was taken for, and to everybody that it may be another than was meant.
    pub fn tell(&self, flag: &str, text: &str, console: &mut Console) {
        if let Some(seconds) = seconds(text) {
            console.say(&format!(
                "{flag} {text} is read as milliseconds since 1970; if seconds were meant, that is {seconds}, as an id {text}000"
            ));
        }
        let Some(moment) = self.moment.filter(|_| console.is_watched()) else {
            return;
        };
        let now = Zoned::now();
        if let Some(zone) = std::env::var_os("TZ").filter(|zone| !zone.is_empty() && now.time_zone().is_unknown()) {
            console.say(&format!(
                "there is no time zone '{}' (TZ) here, so this is UTC",
                zone.display()
            ));
        }
        console.say(&format!("{flag} {text} is {}", words(moment, &now)));
    }

    /// Whether it is a moment that is over.
    pub fn is_past(&self) -> bool {
        self.moment.is_some_and(|moment| moment < Timestamp::now())
    }

    /// Whether it is known to lie before another: both are moments, or ids.
    pub fn is_before(&self, other: &Typed) -> bool {
        let millis = |place: &Typed| match place.moment {
            Some(moment) => Some(i128::from(moment.as_millisecond())),
            None => place.wire.split('-').next()?.parse::<u64>().ok().map(i128::from),
        };
        millis(self).zip(millis(other)).is_some_and(|(own, other)| own < other)
    }
}

/// Says that nothing can lie between the places.
pub fn tell_order(from: &Typed, until: Option<&Typed>, console: &mut Console) {
    if until.is_some_and(|until| until.is_before(from)) {
        console.say("the end (--until) lies before the beginning (--from), so nothing lies between them");
    }
}

/// An id that has as many digits as the seconds since 1970 have from 2001 to 2286: the time that this would be.
fn seconds(text: &str) -> Option<Timestamp> {
    let is_alone = text.len() == 10 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_alone)?;
    Timestamp::from_second(seconds).ok()
}

/// A place, when it is `now`; none if it is no place. Entry ids and words are the store's.
fn read(text: &str, is_word: bool, now: &Zoned) -> Option<Typed> {
    if is_word {
        return Some(Typed {
            wire: text.into(),
            moment: None,
        });
    }
    if let Some(span) = text.strip_prefix('-') {
        let ago = span_of(span, now)?;
        return Some(Typed {
            wire: format!("-{}ms", ago.as_millis()),
            moment: now.timestamp().checked_sub(ago).ok(),
        });
    }
    let moment = moment(text.trim(), now)?;
    Some(Typed {
        wire: moment.to_string(),
        moment: Some(moment),
    })
}

/// A span with a unit: those of all flags, and as jiff reads them, such as `1h30m`, `2 weeks` or `1mo`.
fn span_of(text: &str, now: &Zoned) -> Option<Duration> {
    let has_unit = text.contains(|c: char| c.is_ascii_alphabetic());
    if !text.starts_with(|c: char| c.is_ascii_digit()) || !has_unit {
        return None;
    }
    if let Ok(units::Span(span)) = text.parse() {
        return Some(span);
    }
    let span: jiff::Span = text.parse().ok()?;
    let then = now.checked_sub(span).ok()?;
    Duration::try_from(now.duration_since(&then)).ok()
}

/// A time that says how far it is ahead of UTC, else one of this machine's clock; without a date it is today's.
fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    if text.ends_with(']') {
        return text.parse::<Zoned>().ok().map(|zoned| zoned.timestamp());
    }
    let text = with_two_digits(text);
    let local = match (text.parse::<DateTime>(), text.parse::<Time>()) {
        (Ok(local), _) => local,
        (_, Ok(time)) => now.date().to_datetime(time),
        _ => return None,
    };
    local
        .to_zoned(now.time_zone().clone())
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// `8:00` as `08:00`, also behind a date.
fn with_two_digits(text: &str) -> String {
    let at = text.rfind(['T', 't', ' ']).map_or(0, |at| at + 1);
    let (date, time) = text.split_at(at);
    let is_short = matches!(time.as_bytes(), [digit, b':', ..] if digit.is_ascii_digit());
    format!("{date}{}{time}", if is_short { "0" } else { "" })
}

/// What is wrong with a text that is no place.
fn fault(text: &str, now: &Zoned) -> String {
    let ahead = text.strip_prefix('+').and_then(|span| span_of(span.trim(), now));
    if let Some(then) = ahead.and_then(|ahead| now.checked_add(ahead).ok()) {
        return format!(
            "a span goes back from now (-{}); that far ahead it is {}",
            &text[1..],
            then.timestamp().strftime("%FT%TZ")
        );
    }
    let back = format!("-{text}");
    if span_of(text, now).is_some() {
        return format!("a span back from now begins with a minus: {back}");
    }
    // Its unit is one, so the number is too large.
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let unit = text.strip_prefix('-').filter(|span| span.starts_with(digits));
    let unit = unit.map(|span| span.trim_start_matches(digits).trim());
    if unit.is_some_and(|unit| span_of(&format!("1{unit}"), now).is_some()) {
        return "a span that long goes back before all times; first is the beginning of a stream".into();
    }
    let zone = now.time_zone().iana_name().unwrap_or("its time zone");
    let empty = if text.is_empty() { "it is empty, and " } else { "" };
    format!(
        "{empty}no place in a stream: these are an entry id (ms, ms-seq), first, latest and $ (now); a span back from now, such as \
         -30s, -2h or -1w; a time, such as 2026-11-28T08:00:00Z, or by this machine's clock ({zone}) 10:00, \
         '2026-11-28 08:00' or 2026-11-28"
    )
}

/// A moment by this machine's clock, and how far that is from now.
fn words(moment: Timestamp, now: &Zoned) -> String {
    let distance = figures::time(now.timestamp().duration_since(moment).unsigned_abs());
    let side = if moment > now.timestamp() { "ahead" } else { "ago" };
    let local = moment.to_zoned(now.time_zone().clone());
    format!("{}, {distance} {side}", local.strftime("%FT%T%:z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In winter, an hour ahead of UTC.
    fn now() -> Zoned {
        "2026-11-28T09:30:00+01:00[Europe/Berlin]".parse().unwrap()
    }

    fn wire(text: &str) -> Option<String> {
        read(text, false, &now()).map(|place| place.wire)
    }

    #[test]
    fn times_without_an_offset_are_those_of_this_machine() {
        for (text, expected) in [
            ("2026-11-28 08:00", "2026-11-28T07:00:00Z"),
            ("2026-11-28 8:00", "2026-11-28T07:00:00Z"),
            ("2026-11-28T08:00", "2026-11-28T07:00:00Z"),
            ("2026-11-28T08:00:30.25", "2026-11-28T07:00:30.25Z"),
            ("2026-07-01 08:00", "2026-07-01T06:00:00Z"),
            ("2026-11-28", "2026-11-27T23:00:00Z"),
            ("T08:00", "2026-11-28T07:00:00Z"),
            ("08:00", "2026-11-28T07:00:00Z"),
            ("8:00", "2026-11-28T07:00:00Z"),
            ("T8:00:05", "2026-11-28T07:00:05Z"),
            ("23:00", "2026-11-28T22:00:00Z"),
            (" 10:00 ", "2026-11-28T09:00:00Z"),
            // With one they are not.
            ("2026-11-28T08:00:00Z", "2026-11-28T08:00:00Z"),
            ("2026-11-28 08:00Z", "2026-11-28T08:00:00Z"),
            ("2026-11-28T08:00+05:00", "2026-11-28T03:00:00Z"),
            ("2026-11-28T08:00[America/New_York]", "2026-11-28T13:00:00Z"),
            // An hour that is skipped in spring, and one that comes twice in autumn.
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(wire(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn spans_go_back_from_now() {
        let hours = |count: u64| Some(format!("-{}ms", count * 3_600_000));
        for (text, expected) in [
            ("-30s", Some("-30000ms".into())),
            ("-1.5h", Some("-5400000ms".into())),
            ("-2h", hours(2)),
            ("-1d", hours(24)),
            ("-1w", hours(7 * 24)),
            ("-2 weeks", hours(14 * 24)),
            ("-1h30m", Some("-5400000ms".into())),
            ("-90min", Some("-5400000ms".into())),
            // The clock was put back in October.
            ("-2mo", hours(61 * 24 + 1)),
        ] {
            assert_eq!(wire(text), expected, "{text}");
        }
    }

    #[test]
    fn what_the_store_understands_by_itself_stays_as_it_is() {
        for text in ["0", "7", "7-3", "2026-11", "20261128", "first", "latest", "$", "*"] {
            assert_eq!(from(text).unwrap().wire, text);
            assert_eq!(until(text).unwrap().wire, text);
        }
        assert_eq!(from("~7-3").unwrap().wire, "~7-3");
    }

    #[test]
    fn what_is_no_place_is_told_what_would_be_one() {
        for (text, told) in [
            ("+5s", "it is 2026-11-28T08:30:05Z"),
            ("+1h30m", "it is 2026-11-28T10:00:00Z"),
            ("30s", "minus: -30s"),
            ("1 week", "minus: -1 week"),
            ("-30", "-30s, -2h or -1w"),
            ("yesterday", "(Europe/Berlin) 10:00"),
            ("", "it is empty, and no place"),
            ("-99999999999w", "that long"),
            ("-99999999999999999999 s", "that long"),
            ("-", "no place"),
            ("--30s", "no place"),
            ("-30x", "no place"),
            ("25:00", "no place"),
            ("2026-13-01", "no place"),
            ("2026-02-30", "no place"),
            ("2026-11-28T08:00[Atlantis]", "no place"),
            ("-99999999999h", "that long"),
            ("+", "no place"),
        ] {
            assert_eq!(wire(text), None, "{text}");
            let said = fault(text, &now());
            assert!(said.contains(told), "{text}: {said}");
        }
    }

    #[test]
    fn an_end_before_the_beginning_is_known_of_moments_and_ids() {
        let is_before = |end: &str, begin: &str| until(end).unwrap().is_before(&from(begin).unwrap());
        assert!(is_before("-10m", "-5m") && is_before("7-3", "8") && is_before("2020-01-01", "-1h"));
        assert!(!is_before("-5m", "-10m") && !is_before("7", "7-3") && !is_before("latest", "-5m"));
        assert!(!is_before("-1w", "first"));
    }

    #[test]
    fn an_id_that_is_seconds_is_told_from_others() {
        let told = |text: &str| seconds(text).map(|time| time.to_string());
        assert_eq!(told("1795873301").as_deref(), Some("2026-11-28T13:41:41Z"));
        for other in [
            "1795873301000",
            "20261128",
            "0795873301",
            "1795873301-0",
            "-795873301",
            "first",
            "",
        ] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    #[test]
    fn a_moment_is_told_by_this_clock_and_by_how_far_it_is() {
        let told = |text: &str| words(moment(text, &now()).unwrap(), &now());
        assert_eq!(told("08:00"), "2026-11-28T08:00:00+01:00, 90.0 min ago");
        assert_eq!(told("2026-11-28T12:30:00Z"), "2026-11-28T13:30:00+01:00, 4.0 h ahead");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_the_store_takes_what_it_makes(text in ".*", sign in "[-+]?", span in "[0-9a-z:. T-]{0,12}") {
            for text in [text, format!("{sign}{span}")] {
                match from(&text) {
                    Ok(place) => prop_assert!(place.wire.parse::<Cursor>().is_ok(), "{text}: {}", place.wire),
                    Err(failure) => prop_assert!(failure.to_string().starts_with("--from ")),
                }
                if let Ok(place) = until(&text) {
                    prop_assert!(place.wire.parse::<Until>().is_ok(), "{text}: {}", place.wire);
                }
            }
        }
    }
}
