//! Server-Sent Events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): their text.

/// What begins the reply: how soon a browser comes back when the connection is lost, in milliseconds.
pub const PREAMBLE: &str = "retry: 1000\n\n";

/// A comment, so that proxies and dead connections show.
pub const STILL_HERE: &str = ":\n\n";

/// The name of events that tell of a gap; entries have none, so that `onmessage` gets them.
pub const GAP: &str = "event: gap\n";

/// What stands before an event's data. Its id is where every stream has got to, so that a browser that comes back with
/// `Last-Event-ID` misses nothing of any of them, and which of these places it has read.
pub fn id(places: &[String]) -> String {
    format!("id: {}\ndata: ", places.join("+"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::cursor;

    #[test]
    fn an_id_of_several_streams_is_a_list_of_places() {
        let id = id(&["7-1".into(), "~0-3".into()]);
        assert_eq!(id, "id: 7-1+~0-3\ndata: ");
        let places = cursor::list(&id["id: ".len()..id.find('\n').unwrap()]);
        assert_eq!(places, ["7-1", "~0-3"]);
    }
}
