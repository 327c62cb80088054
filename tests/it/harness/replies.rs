//! All that a store sent on one connection, taken apart without trusting it.

use super::Answer;

/// The replies on a connection, and what followed an upgrade.
#[derive(Debug, Default)]
pub struct Replies {
    pub answers: Vec<Answer>,
    /// The bytes behind a 101.
    pub frames: Option<Vec<u8>>,
}

impl Replies {
    /// Whatever is not a whole, well-formed reply is an error. That a body is missing is taken for a reply to HEAD.
    pub fn parse(mut bytes: &[u8]) -> Result<Self, String> {
        let mut replies = Self::default();
        while !bytes.is_empty() {
            let (mut answer, length) = parse_head(bytes)?;
            bytes = &bytes[length..];
            if answer.status == 101 {
                replies.answers.push(answer);
                replies.frames = Some(bytes.to_vec());
                break;
            }
            if answer.header("transfer-encoding") == Some("chunked") {
                answer.body = parse_chunks(bytes)?;
                bytes = &[];
            }
            if answer.status >= 200 && !bytes.is_empty() && !bytes.starts_with(b"HTTP/1.1 ") {
                let length = answer.header("content-length").and_then(|length| length.parse().ok());
                let length: usize = length.ok_or_else(|| format!("no length: {answer:?}"))?;
                let body = bytes.get(..length);
                answer.body = body.ok_or_else(|| format!("half a body: {answer:?}"))?.to_vec();
                bytes = &bytes[length..];
            }
            replies.answers.push(answer);
        }
        Ok(replies)
    }

    pub fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(|answer| answer.status).collect()
    }
}

/// The body of a reply that stays open, which is the last of its connection, and may break off anywhere.
fn parse_chunks(mut bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(end) = bytes.windows(2).position(|window| window == b"\r\n") {
        let line = String::from_utf8_lossy(&bytes[..end]);
        let size = usize::from_str_radix(&line, 16).map_err(|_| format!("not a chunk size: {line:?}"))?;
        bytes = &bytes[end + 2..];
        match bytes.get(size..size + 2) {
            Some(b"\r\n") if size == 0 && bytes.len() > 2 => return Err("something after the last chunk".into()),
            Some(b"\r\n") => body.extend(&bytes[..size]),
            Some(_) => return Err(format!("a chunk of {size} bytes without its end")),
            None => break,
        }
        bytes = &bytes[size + 2..];
    }
    Ok(body)
}

fn parse_head(bytes: &[u8]) -> Result<(Answer, usize), String> {
    let odd = |what: &str| {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]);
        Err(format!("{what}: {shown:?}"))
    };
    let Some(length) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return odd("half a head");
    };
    let Ok(head) = std::str::from_utf8(&bytes[..length]) else {
        return odd("a head that is not text");
    };
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok());
    let Some(status) = status else {
        return odd("not a status line");
    };
    let mut headers = Vec::new();
    for line in lines {
        match line.split_once(": ") {
            Some((name, value)) if !line.chars().any(char::is_control) => {
                headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            _ => return odd("not a header"),
        }
    }
    let body = Vec::new();
    Ok((Answer { status, headers, body }, length + 4))
}
