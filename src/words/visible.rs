//! What others wrote, made safe to show. A terminal obeys control characters (ECMA-48): they move the cursor, hide and
//! replace what is there, and write into the clipboard. Others turn the direction of what follows, or are not seen at all.
//! In goes text from anywhere, out comes the same with such characters as escapes: `\n`, `\u{1b}`. What a terminal shows as
//! it is stays as it is, so that plain text reads as before. All that the commands show goes through here, and so do log lines.

use std::borrow::Cow;
use std::fmt::Write;

/// A name or a sentence, which is one line whatever is in it: line ends and tabs are escaped, too.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, |_, _| false, |c, into| into.extend(c.escape_default()))
}

/// Text that may have several lines: line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    // A carriage return alone goes back to the beginning of the line, and what follows replaces what was there.
    let stays = |c, next| matches!(c, '\n' | '\t') || (c == '\r' && next == Some('\n'));
    escaped(text, stays, |c, into| into.extend(c.escape_default()))
}

/// JSON, which means the same afterwards: such characters are in its strings, and become `\u001b` there (RFC 8259, section 7).
/// Line ends between its values stay.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c, _| c == '\n',
        |c, into| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(into, "\\u{unit:04x}");
            }
        },
    )
}

/// Whether a terminal shows a character as a letter, a sign or a space of its own.
pub fn is_plain(c: char) -> bool {
    match c {
        ' '..='~' => true,
        // Line and paragraph separators end lines for some.
        _ if c.is_whitespace() => !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}'),
        // The standard library knows which are not printable: control, format, private and unassigned ones. Marks that belong
        // to the letter before them are; so one stands there.
        _ => format!("x{c}").escape_debug().nth(1) == Some(c),
    }
}

/// Escapes what is not plain, unless it `stays`, of which the character and the next one decide.
fn escaped(text: &str, stays: impl Fn(char, Option<char>) -> bool, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    // By far the most texts.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match is_plain(c) || stays(c, rest.peek().copied()) {
            true => shown.push(c),
            false => escape(c, &mut shown),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One of each kind that must not reach a terminal.
    const HOSTILE: &[char] = &[
        '\0',
        '\u{7}',
        '\u{8}',
        '\u{b}',
        '\u{c}',
        '\r',
        '\u{1b}',
        '\u{7f}',
        '\u{80}',
        '\u{85}',
        '\u{90}',
        '\u{9b}',
        '\u{9d}',
        '\u{9f}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{206f}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0001}',
        '\u{e007f}',
        '\u{e000}',
    ];

    #[test]
    fn what_is_plain_stays_as_it_is() {
        for text in [
            "",
            "cam 0",
            "käse",
            "ka\u{308}se",
            "流 and 🎥\u{fe0f}",
            "a\u{a0}b\u{3000}c",
            "\"\\'`$",
        ] {
            assert_eq!(line(text), text);
            assert_eq!(lines(text), text);
            assert_eq!(json(text), text);
        }
        assert_eq!(lines("one\n\ttwo\r\n"), "one\n\ttwo\r\n");
    }

    #[test]
    fn what_a_terminal_obeys_or_hides_is_escaped() {
        for hostile in HOSTILE {
            let text = format!("a{hostile}b");
            for shown in [line(&text), lines(&text), json(&text)] {
                assert!(!shown.contains(*hostile), "{hostile:?}");
                assert!(shown.starts_with('a') && shown.ends_with('b'), "{shown:?}");
            }
        }
        assert_eq!(
            line("a\u{1b}]52;c;eA==\u{7}\r\n\tb"),
            "a\\u{1b}]52;c;eA==\\u{7}\\r\\n\\tb"
        );
        assert_eq!(lines("a\rb\r\n\u{9b}2J"), "a\\rb\r\n\\u{9b}2J");
        assert_eq!(json("\"\u{9b}\u{e0041}\""), "\"\\u009b\\udb40\\udc41\"");
    }

    proptest! {
        #[test]
        fn nothing_but_plain_characters_is_left(text in any::<String>()) {
            prop_assert!(line(&text).chars().all(is_plain));
            prop_assert!(lines(&text).replace("\r\n", "").chars().all(|c| is_plain(c) || matches!(c, '\n' | '\t')));
        }

        #[test]
        fn json_means_the_same(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            let shown = json(&written);
            prop_assert!(shown.chars().all(is_plain));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
