//! Names of one store. This machine has several for itself: `localhost`, `127.0.0.1`, `[::1]`. In go URLs in the one form of
//! `Store::url`; whether a token for one is a token for the other comes out.
//!
//! A token must not go to a stranger. Two names of loopback need not lead to one program: somebody else on this machine may
//! listen on the port of `[::1]` while the store has that of `127.0.0.1`. So the system is asked who listens there.

use std::net::IpAddr;

use ptg_store::server::listeners;

/// Whether both were one when somebody last listened there, as far as that can still be told.
pub fn were_one(one: &str, other: &str) -> bool {
    let nobody_listens = || loopback(one).is_some_and(|(port, _)| listeners::exposed(port).is_none());
    may_be_one(one, other) && (are_one(one, other) || nobody_listens())
}

/// Whether both are names of loopback for the same port and prefix, so that they may be one store.
fn may_be_one(one: &str, other: &str) -> bool {
    one != other && loopback(one).is_some_and(|place| loopback(other) == Some(place))
}

/// Whether both lead to the same program at present, by different names.
pub fn are_one(one: &str, other: &str) -> bool {
    may_be_one(one, other) && loopback(one).is_some_and(|(port, _)| listeners::is_one(port))
}

/// Port and prefix of a URL that names this machine's loopback.
fn loopback(url: &str) -> Option<(u16, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (host, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (name, port) = host.rsplit_once(':')?;
    let address: Option<IpAddr> = name.trim_matches(['[', ']']).parse().ok();
    let is_loopback = name == "localhost" || address.is_some_and(|address| address.is_loopback());
    is_loopback.then_some((port.parse().ok()?, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn names_of_loopback_with_one_port_and_prefix_may_be_one() {
        let names = [
            "http://localhost:7890/a",
            "http://127.0.0.1:7890/a",
            "http://[::1]:7890/a",
        ];
        for one in names {
            assert!(names.iter().all(|other| may_be_one(one, other) == (one != *other)));
            for other in [
                "http://127.0.0.1:7890",
                "http://127.0.0.1:7890/b",
                "http://localhost:7891/a",
                "http://lab:7890/a",
                "http://10.0.0.1:7890/a",
                "http://localhost.evil.example:7890/a",
                "",
            ] {
                assert!(!may_be_one(one, other), "{one} {other}");
            }
        }
    }

    #[test]
    fn they_are_one_only_while_one_program_listens() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let [name, number] = ["localhost", "127.0.0.1"].map(|name| format!("http://{name}:{port}"));
        assert!(are_one(&name, &number) && were_one(&name, &number));
        drop(first);
        assert!(!are_one(&name, &number) && were_one(&name, &number));
    }
}
