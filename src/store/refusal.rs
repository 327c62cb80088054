//! What an error reply of Redis means: a `StoreError` in, or out, and whether its connection is of any further use.
//! Sessions call this with every error reply that they read.

use redis::ServerError;

use crate::words::error::StoreError;

/// What the text of an error reply means.
pub fn meaning(error: &ServerError) -> StoreError {
    let text = text_of(error);
    match code_of(error, &text) {
        "OOM" => StoreError::Full(text),
        "MOVED" | "ASK" | "CROSSSLOT" => StoreError::Refused(format!(
            "it is in cluster mode, of which only one node and one stream at a time are supported: {text}"
        )),
        code => match state(code, &text) {
            Some(state) => StoreError::Unusable(format!("{state}: {text}")),
            None => StoreError::Refused(text),
        },
    }
}

/// Whether a new connection may find what this one lacks: another master behind a proxy, the data, a password that is known.
/// On the old one the refusal would stay the same for ever.
pub fn ends_connection(error: &ServerError) -> bool {
    let text = text_of(error);
    let code = code_of(error, &text);
    matches!(code, "READONLY" | "MASTERDOWN" | "LOADING" | "NOAUTH" | "UNBLOCKED")
}

/// Whether Redis serves reads, but takes no writes.
pub fn is_of_writes(error: &ServerError) -> bool {
    let text = text_of(error);
    matches!(code_of(error, &text), "READONLY" | "MISCONF" | "NOREPLICAS")
}

/// Whether Redis cannot save to its disk; its log tells more.
pub fn is_of_saving(error: &ServerError) -> bool {
    let text = text_of(error);
    code_of(error, &text) == "MISCONF"
}

/// Whether the user may not run the command, or Redis has none of this name (`rename-command`).
pub fn is_lack(error: &ServerError) -> bool {
    let text = text_of(error);
    code_of(error, &text) == "NOPERM" || text.contains("NOPERM") || text.contains("unknown command")
}

/// States that pass, or that only an operator can mend: not for the client to be blamed for.
fn state(code: &str, text: &str) -> Option<&'static str> {
    Some(match code {
        "READONLY" | "NOREPLICAS" => "Redis takes no writes",
        // The words of ENOSPC and EDQUOT (strerror(3)).
        "MISCONF" if text.contains("No space left") || text.contains("quota exceeded") => {
            "Redis takes no writes, there is no room on its disk"
        }
        "MISCONF" => "Redis takes no writes, it cannot save to its disk",
        "LOADING" => "Redis still reads its data",
        "MASTERDOWN" => "Redis is a replica that has lost its master",
        "CLUSTERDOWN" => "Redis is in cluster mode, and its cluster is down",
        "NOAUTH" => "Redis wants a password, --redis redis://USER:PASSWORD@HOST:PORT",
        "WRONGPASS" => "Redis refuses the user name or the password of --redis",
        "DENIED" => "Redis is in protected mode, and takes connections from its own machine only",
        "BUSY" | "TRYAGAIN" | "UNBLOCKED" => "Redis takes no commands for now",
        _ if text.contains("max number of clients") => "Redis has no connection left",
        _ => return None,
    })
}

/// An error reply as one line.
pub fn text_of(error: &ServerError) -> String {
    let text = format!("{} {}", error.code(), error.details().unwrap_or_default());
    text.trim().to_string()
}

fn code_of<'a>(error: &'a ServerError, text: &'a str) -> &'a str {
    cause_in(text).unwrap_or(error.code())
}

/// The code of the error that brought this one about: a transaction that was given up tells it in its text, and so does a
/// script of Redis 6, behind the place of its call.
fn cause_in(text: &str) -> Option<&str> {
    let cause = text
        .split_once("because of: ")
        .or_else(|| text.split_once("script: ")?.1.split_once(": -"));
    cause?.1.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_cause_of_an_error_is_found_in_its_text() {
        for (text, cause) in [
            (
                "EXECABORT Transaction discarded because of: OOM command not allowed",
                Some("OOM"),
            ),
            (
                "@user_script: 127: -OOM command not allowed when used memory > 'maxmemory'.",
                Some("OOM"),
            ),
            (
                "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: -READONLY You can't write.",
                Some("READONLY"),
            ),
            ("OOM command not allowed. script: f_1, on @user_script:127.", None),
            ("WRONGTYPE Operation against a key", None),
        ] {
            assert_eq!(cause_in(text), cause, "{text}");
        }
    }

    #[test]
    fn only_what_a_new_connection_can_mend_ends_a_connection() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "LOADING Redis is loading the dataset in memory",
            "NOAUTH Authentication required.",
            "EXECABORT Transaction discarded because of: READONLY You can't write",
        ] {
            assert!(ends_connection(&error(line)), "{line}");
            assert!(meaning(&error(line)).is_passing(), "{line}");
        }
        for line in [
            "MISCONF Redis is configured to save RDB snapshots",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOPERM this user has no permissions to run the 'multi' command",
        ] {
            assert!(!ends_connection(&error(line)), "{line}");
        }
    }

    #[test]
    fn what_redis_says_is_told_as_what_it_is() {
        for (line, told) in [
            (
                "READONLY You can't write",
                "Redis takes no writes: READONLY You can't write",
            ),
            (
                "MISCONF Errors writing to the AOF file: No space left on device",
                "Redis takes no writes, there is no room on its disk: MISCONF Errors writing",
            ),
            (
                "MISCONF Redis is configured to save RDB snapshots",
                "Redis takes no writes, it cannot save to its disk: MISCONF Redis",
            ),
            (
                "WRONGPASS invalid",
                "Redis refuses the user name or the password of --redis: WRONGPASS invalid",
            ),
            ("MOVED 7 127.0.0.1:7001", "Redis refused: it is in cluster mode"),
            ("CROSSSLOT Keys in request", "Redis refused: it is in cluster mode"),
            (
                "ERR max number of clients reached",
                "Redis has no connection left: ERR max",
            ),
            ("ERR unknown", "Redis refused: ERR unknown"),
        ] {
            let told_now = meaning(&error(line)).to_string();
            assert!(told_now.starts_with(told), "{told_now}");
        }
    }
}
