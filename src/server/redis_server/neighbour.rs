//! Who listens on a port where a Redis of ours would. In goes the port, out comes whether it is ours, somebody else's, or no
//! Redis that could ever be used, with the sentence that says so.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use redis::ConnectionAddr;
use rustix::process::geteuid;

use super::folder::Folder;
use super::{CONNECT_TIMEOUT, connection, listens_in, url_of};
use crate::limits::metrics::Metrics;
use crate::server::listeners;
use crate::store::{State, Store};
use crate::words::error::StoreError;
use crate::words::info::Info;

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
    listeners::owner(port).filter(|owner| *owner != geteuid().as_raw())
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
    Ok(Info::parse(&about).text("run_id").map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn we_are_no_stranger() {
        let ours = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(stranger(ours.local_addr().unwrap().port()), None);
    }
}
