//! What listens on a port of this machine, from `/proc` (proc(5)): who can reach it, and which process has it. The doctor asks
//! about a store's port, a store that cannot have the port it wants tells who has it, and `ptg-store login` asks whether several
//! names of this machine lead to one store.

use std::fs;
use std::path::{Path, PathBuf};

use super::processes::{self, Running};

/// The state of a socket that listens, as it is written there.
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Debug, PartialEq)]
struct Listener {
    /// Its address, as the table writes it.
    address: String,
    /// The account that has it.
    account: Option<u32>,
    /// The number that its descriptors in `/proc/<pid>/fd` have, too.
    inode: String,
}

/// Whether other machines can connect to this port; none if the system does not tell.
pub fn exposed(port: u16) -> Option<bool> {
    let found = all(port);
    (!found.is_empty()).then(|| found.iter().any(Listener::is_exposed))
}

/// Whether everything that listens on this port, whatever its address, is one program: one socket, or several of one process.
pub fn is_one(port: u16) -> bool {
    let inodes = inodes(port);
    match inodes.len() {
        0 => false,
        1 => true,
        _ => process_with(|held| inodes.iter().all(|inode| held.contains(inode))).is_some(),
    }
}

/// Who listens on this port; none if nobody does, or if that is somebody else's process, which only root may see.
pub fn holder(port: u16) -> Option<Running> {
    let inodes = inodes(port);
    process_with(|held| inodes.iter().any(|inode| held.contains(inode)))
}

fn inodes(port: u16) -> Vec<String> {
    all(port).into_iter().map(|one| one.inode).collect()
}

/// The account that listens on this port of 127.0.0.1; none if nobody does.
pub fn owner(port: u16) -> Option<u32> {
    owner_in(all(port).into_iter())
}

fn owner_in(mut listeners: impl Iterator<Item = Listener>) -> Option<u32> {
    listeners.find(Listener::serves_loopback)?.account
}

/// The first process that we may look into whose sockets are like this.
fn process_with(is_it: impl Fn(&[String]) -> bool) -> Option<Running> {
    processes::find(|process| is_it(&sockets(process)))
}

/// The numbers of a process's sockets.
fn sockets(process: &Path) -> Vec<String> {
    let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let targets = descriptors.filter_map(|one| fs::read_link(one.path()).ok());
    let inode = |target: PathBuf| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned());
    targets.filter_map(inode).collect()
}

impl Listener {
    /// Whether other machines can connect to it.
    fn is_exposed(&self) -> bool {
        !is_loopback(&self.address)
    }

    /// Whether it listens on 127.0.0.1, or on all addresses.
    fn serves_loopback(&self) -> bool {
        ["0100007F", "00000000"].contains(&self.address.as_str())
    }
}

/// Everything that listens on this port.
fn all(port: u16) -> Vec<Listener> {
    // Only one of the tables may be there.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|table| listeners(table, port)).collect()
}

fn listeners(table: &str, port: u16) -> impl Iterator<Item = Listener> {
    let port = format!("{port:04X}");
    table.lines().filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (address, local_port) = words.next()?.split_once(':')?;
        (local_port == port && words.nth(1)? == LISTEN).then(|| Listener {
            address: address.to_owned(),
            account: words.nth(3).and_then(|account| account.parse().ok()),
            inode: words.nth(1).unwrap_or_default().to_owned(),
        })
    })
}

/// Addresses are written as 32-bit words with their bytes in reverse.
fn is_loopback(address: &str) -> bool {
    match address.len() {
        8 => address.ends_with("7F"),
        _ => {
            address == "00000000000000000000000001000000"
                || (address.starts_with("0000000000000000FFFF0000") && address.ends_with("7F"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1ED2 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0000000000000000
   1: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2 1 0000000000000000
   2: 0500000A:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 3 1 0000000000000000
   3: 0500000A:1ED2 0600000A:CAFE 01 00000000:00000000 00:00000000 00000000  1000        0 4 1 0000000000000000
";
    const TCP6: &str = "\
   0: 00000000000000000000000001000000:1ED2 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 1
   1: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 2
   2: 0000000000000000FFFF00000100007F:1F41 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 3
";

    #[test]
    fn who_has_a_port_is_found_and_nobody_where_there_is_none() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let holder = holder(port).unwrap();
        assert_eq!(holder.pid, std::process::id());
        assert!(!holder.name.is_empty());
        assert!(is_one(port));
        drop(taken);
        assert!(!is_one(port));
        assert_eq!(super::holder(port), None);
    }

    #[test]
    fn whose_a_listener_is_is_told() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                     0: 0100007F:1A85 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000        0 7 1\n   \
                     1: 0100007F:1A85 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 8 1\n";
        let owner_of = |table, port| owner_in(listeners(table, port));
        assert_eq!(
            (owner_of(table, 6789), owner_of(table, 6790), owner_of("", 6789)),
            (Some(1001), None, None)
        );
        let ours = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = ours.local_addr().unwrap().port();
        assert_eq!(owner(port), Some(rustix::process::geteuid().as_raw()));
    }

    #[test]
    fn only_loopback_is_safe_from_other_machines() {
        let of = |table, port| {
            listeners(table, port)
                .map(|one| one.is_exposed())
                .collect::<Vec<bool>>()
        };
        // A connection of 10.0.0.5:7890 is no listener.
        assert_eq!(of(TCP, 7890), [false]);
        assert_eq!(of(TCP, 8000), [true]);
        assert_eq!(of(TCP, 8001), [true]);
        assert_eq!(of(TCP6, 7890), [false]);
        assert_eq!(of(TCP6, 8000), [true]);
        assert_eq!(of(TCP6, 8001), [false]);
        assert!(of(TCP, 1).is_empty());
        assert_eq!(listeners(TCP, 8000).next().unwrap().inode, "2");
        assert!(of("nonsense\n:::\n1: 2\n", 7890).is_empty());
    }
}
