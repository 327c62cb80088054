//! Who listens on a port where a Redis of ours would. In goes the port, out comes whether it is ours, somebody else's, or no
//! Redis that could ever be used, with the sentence that says so.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use redis::ConnectionAddr;
use rustix::process::geteuid;

use super::folder::Folder;
use super::{CONNECT_TIMEOUT, connection, listens_in, url_of};
use crate::limits::metrics::Metrics;
use crate::store::{State, Store};
use crate::words::error::StoreError;

/// Who listens on the port.
pub enum Neighbour {
    /// A Redis that a store of our account started in another folder.
    Ours(Folder),
    /// Somebody else's Redis, or what may be one; and where its data is, if it says so and we can see it.
    Theirs(Option<Folder>),
    /// What will never let us in as it is: no Redis, or one that wants a password. The sentence says which.
    Useless(String),
    /// One that is just going.
    Leaving,
}

/// Asks who listens there.
pub fn neighbour(port: u16) -> Neighbour {
    let told = connection(ConnectionAddr::Tcp("127.0.0.1".into(), port)).and_then(|mut there| {
        let dir: Vec<String> = redis::cmd("CONFIG").arg(&["GET", "dir"]).query(&mut there)?;
        Ok((dir, run_id(&mut there)?))
    });
    let (dir, run) = match told {
        Ok(told) => told,
        Err(error) if error.is_io_error() && !is_taken(port) => return Neighbour::Leaving,
        // It speaks as Redis does, and what it refuses now it may grant later, but for this.
        Err(error) if error.code().is_some_and(|code| code != "NOAUTH") => return Neighbour::Theirs(None),
        Err(_) => return useless(port).map_or(Neighbour::Theirs(None), Neighbour::Useless),
    };
    let folder = dir.get(1).and_then(|dir| Folder::open(Path::new(dir)).ok());
    // Anybody can say anything on the port; that it is the one that listens in a folder of ours is what counts.
    let is_that_of = |folder: &Folder| {
        let id = connection(ConnectionAddr::Unix(folder.socket())).and_then(|mut here| run_id(&mut here));
        id.is_ok_and(|id| id.is_some() && id == run)
    };
    match folder {
        Some(folder) if folder.is_ours() && listens_in(&folder) && is_that_of(&folder) => Neighbour::Ours(folder),
        folder => Neighbour::Theirs(folder),
    }
}

/// Whether something listens on the port.
pub fn is_taken(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).is_ok()
}

/// The account of whoever listens on the port of 127.0.0.1, if it is another one than ours.
pub fn stranger(port: u16) -> Option<u32> {
    let sockets = fs::read_to_string("/proc/net/tcp").ok()?;
    owner(&sockets, port).filter(|owner| *owner != geteuid().as_raw())
}

/// The account that listens there, of the table of proc_pid_net(5): address and port are in hexadecimal, and 0A is "listens".
fn owner(sockets: &str, port: u16) -> Option<u32> {
    let (ours, any) = (format!("0100007F:{port:04X}"), format!("00000000:{port:04X}"));
    let mut fields = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    fields.find_map(|fields| match fields[..] {
        [_, address, _, "0A", _, _, _, owner, ..] if address == ours || address == any => owner.parse().ok(),
        _ => None,
    })
}

/// What a store would say of what listens there, if that is of no use. What says nothing may be a Redis that hangs.
fn useless(port: u16) -> Option<String> {
    let store = Store::new(&url_of(port), 1, Arc::new(Metrics::default())).ok()?;
    match Arc::new(store)
        .session(CONNECT_TIMEOUT)
        .probing()
        .state(CONNECT_TIMEOUT)
    {
        State::Away(StoreError::Unusable(sentence)) => Some(sentence),
        _ => None,
    }
}

/// What tells one run of a Redis from all others. See <https://redis.io/docs/latest/commands/info/>.
fn run_id(connection: &mut redis::Connection) -> redis::RedisResult<Option<String>> {
    let about: String = redis::cmd("INFO").arg("server").query(connection)?;
    let id = about.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(id.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn whose_a_listener_is_is_told() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1A85 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 7 1\n   \
                     1: 0100007F:1A85 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 8 1\n";
        assert_eq!(
            (owner(table, 6789), owner(table, 6790), owner("", 6789)),
            (Some(1001), None, None)
        );
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = ours.local_addr().unwrap().port();
        let sockets = fs::read_to_string("/proc/net/tcp").unwrap();
        assert_eq!(owner(&sockets, port), Some(geteuid().as_raw()));
        assert_eq!(stranger(port), None);
    }
}
