//! The opening handshake (RFC 6455, section 4.2): what a request must have, and the 101 that answers it.

use crate::words::error::Error;
use crate::words::http::Head;

/// Letters of a `Sec-WebSocket-Key`: 16 bytes in base64, without the padding behind them.
const KEY_LETTERS: usize = 22;

/// Checks the handshake; the value of `Sec-WebSocket-Accept`.
pub fn check(head: &Head) -> Result<String, Error> {
    let bad = |sentence: &str| Err(Error::refused(400, sentence));
    if head.method != "GET" || !head.lists("Upgrade", "websocket") || !head.lists("Connection", "upgrade") {
        return bad("This is a WebSocket endpoint: it needs GET with 'Upgrade: websocket' and 'Connection: Upgrade'.");
    }
    if head.minor_version == 0 {
        return bad("A WebSocket handshake needs HTTP/1.1.");
    }
    match head.only("Sec-WebSocket-Version") {
        Some("13") => {}
        Some(_) => return Err(Error::refused(426, "Only WebSocket version 13 is spoken here.")),
        None => return bad("The handshake needs one Sec-WebSocket-Version."),
    }
    let Some(key) = head.only("Sec-WebSocket-Key") else {
        return bad("The handshake needs one Sec-WebSocket-Key.");
    };
    if !is_key(key) {
        return bad("The handshake's Sec-WebSocket-Key is not 16 bytes in base64.");
    }
    Ok(tungstenite::handshake::derive_accept_key(key.as_bytes()))
}

/// Whether this has the form of a key. It need not be decoded (RFC 6455, 4.2.2), and small clients write letters at random, whose
/// last one holds bits that 16 bytes do not have.
fn is_key(key: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    key.strip_suffix("==")
        .is_some_and(|letters| letters.len() == KEY_LETTERS && letters.bytes().all(is_letter))
}

/// The 101. No extension is ever agreed to: compression costs more than it saves on a lab's network. It has no CORS headers,
/// because there they mean nothing: the door has refused pages that may not open WebSockets.
pub fn response(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(change: (&str, &str)) -> Result<String, u16> {
        let mut headers = [
            ("Upgrade", "websocket"),
            ("Connection", "keep-alive, Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        headers
            .iter_mut()
            .filter(|(name, _)| *name == change.0)
            .for_each(|header| header.1 = change.1);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        let head = Head {
            method: "GET".into(),
            minor_version: 1,
            headers,
            ..Head::default()
        };
        check(&head).map_err(|error| error.status())
    }

    #[test]
    fn the_example_of_rfc_6455_is_answered_as_printed_there() {
        assert_eq!(handshake(("", "")), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_string()));
    }

    #[test]
    fn any_22_letters_are_a_key() {
        for letter in ['A', 'Q', 'R', 'g', 'w', 'z', '+', '/', '0'] {
            let key = format!("dGhlIHNhbXBsZSBub25jZ{letter}==");
            assert!(handshake(("Sec-WebSocket-Key", &key)).is_ok(), "{key}");
        }
    }

    #[test]
    fn bad_handshakes_are_400_and_other_versions_426() {
        for (name, value, status) in [
            ("Upgrade", "h2c", 400),
            ("Connection", "close", 400),
            ("Sec-WebSocket-Version", "8", 426),
            ("Sec-WebSocket-Key", "", 400),
            ("Sec-WebSocket-Key", "c2hvcnQ=", 400),
            ("Sec-WebSocket-Key", "c2hvcnRlcg==", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQA=", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQAA", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZ===", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQA==", 400),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j_Q==", 400),
            ("Sec-WebSocket-Key", "not base64 at all!!!!!!!", 400),
        ] {
            assert_eq!(handshake((name, value)), Err(status), "{name}: {value}");
        }
    }
}
