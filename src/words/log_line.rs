//! How a line of the log is written, so that nothing that a client, Redis or a file's name says can look like another line, or
//! like a field that it is not. In go fields and sentences, out comes text; whoever logs something from outside calls this.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};

use env_logger::fmt::Formatter;
use log::Record;

use crate::words::visible;

/// A field: as it is if it is one plain word, else in quotes, with escapes in it (as Rust writes text).
pub fn field(text: &str) -> Cow<'_, str> {
    quoted_unless(text, |c| c.is_whitespace() || "\"=\\".contains(c))
}

/// The names of streams, joined by plus signs. One that has a plus sign itself is in quotes, and so is one that could be taken
/// for all streams.
pub fn streams(names: &[impl Display]) -> String {
    let quoted = |name: String| quoted_unless(&name, |c| c.is_whitespace() || "\"=\\+*".contains(c)).into_owned();
    names
        .iter()
        .map(|name| quoted(name.to_string()))
        .collect::<Vec<_>>()
        .join("+")
}

/// A sentence at the end of a line, which may have spaces. In quotes if it could be taken for fields.
pub fn sentence(text: &str) -> Cow<'_, str> {
    quoted_unless(text, |c| "\"=\\".contains(c))
}

/// Writes a line as env_logger does by itself, but always one: also of what libraries log.
pub fn write(into: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let message = record.args().to_string();
    let (time, level, target) = (into.timestamp(), record.level(), record.target());
    writeln!(into, "[{time} {level:<5} {target}] {}", visible::line(&message))
}

fn quoted_unless(text: &str, is_special: impl Fn(char) -> bool) -> Cow<'_, str> {
    let plain = !text.is_empty() && text.chars().all(|c| visible::is_plain(c) && !is_special(c));
    match plain {
        true => Cow::Borrowed(text),
        false => Cow::Owned(format!("{text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use env_logger::{Builder, Target};
    use log::{LevelFilter, Log};
    use proptest::prelude::*;
    use std::io::{PipeWriter, Read, pipe};

    #[test]
    fn a_plain_word_is_a_field_as_it_is_and_anything_else_is_in_quotes() {
        for plain in ["cam0", "/data/a+b", "käse", "127.0.0.1:6789", "XMETA:a"] {
            assert_eq!(field(plain), plain);
        }
        for (text, shown) in [
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("a code=1000", r#""a code=1000""#),
            ("a=b", r#""a=b""#),
            (r#"a"b"#, r#""a\"b""#),
            ("a\\", r#""a\\""#),
            ("a\nb", r#""a\nb""#),
            ("a\u{202e}b", r#""a\u{202e}b""#),
            ("a\u{a0}b", r#""a\u{a0}b""#),
        ] {
            assert_eq!(field(text), shown);
        }
        assert_eq!(sentence("Redis is away: why?"), "Redis is away: why?");
        assert_eq!(sentence("x\ny"), r#""x\ny""#);
        assert_eq!(sentence("gone code=1000"), r#""gone code=1000""#);
    }

    #[test]
    fn a_message_is_one_line_whoever_logs_it() {
        let (mut read, written): (_, PipeWriter) = pipe().unwrap();
        let mut builder = Builder::new();
        builder.filter_level(LevelFilter::Trace).format(write);
        let logger = builder.target(Target::Pipe(Box::new(written))).build();
        let args = format_args!("one\n[2026-11-28T10:00:00Z INFO  ptg_store::http::door] GET / 200\u{1b}[2J");
        logger.log(
            &Record::builder()
                .args(args)
                .level(log::Level::Info)
                .target("library")
                .build(),
        );
        drop((logger, builder));
        let mut log = String::new();
        read.read_to_string(&mut log).unwrap();
        assert!(log.contains("Z INFO  library] one\\n[2026"), "{log}");
        assert!(log.ends_with("200\\u{1b}[2J\n") && log.lines().count() == 1, "{log}");
    }

    #[test]
    fn two_streams_are_told_from_one_with_a_plus_sign() {
        assert_eq!(streams(&["a", "b"]), "a+b");
        assert_eq!(streams(&["a+b", "c d"]), r#""a+b"+"c d""#);
        assert_eq!(streams(&["*"]), r#""*""#);
    }

    proptest! {
        #[test]
        fn a_field_is_one_word_or_ends_where_its_quotes_do(text in any::<String>()) {
            let shown = field(&text).into_owned();
            prop_assert!(shown.chars().all(visible::is_plain));
            match shown.strip_prefix('"') {
                None => prop_assert!(!shown.contains([' ', '=', '"'])),
                // A quote that is not escaped is the last character.
                Some(rest) => {
                    let mut escape = false;
                    let end = rest.chars().position(|c| {
                        let is_end = c == '"' && !escape;
                        escape = c == '\\' && !escape;
                        is_end
                    });
                    prop_assert_eq!(end.map(|end| end + 1), Some(rest.chars().count()));
                }
            }
        }
    }
}
