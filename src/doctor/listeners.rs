//! Who can reach a port of this machine: what listens on it, from `/proc/net/tcp` and `tcp6` (proc(5)).

use std::fs;

/// The state of a socket that listens, as it is written there.
const LISTEN: &str = "0A";

/// Whether other machines can connect to this port; none if the system does not tell.
pub fn exposed(port: u16) -> Option<bool> {
    // Only one of them may be there.
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let found: Vec<bool> = tables.iter().flat_map(|table| listeners(table, port)).collect();
    (!found.is_empty()).then(|| found.contains(&true))
}

/// Of each socket that listens on this port, whether other machines can connect to it.
fn listeners(table: &str, port: u16) -> impl Iterator<Item = bool> {
    let port = format!("{port:04X}");
    table.lines().filter_map(move |line| {
        let mut words = line.split_whitespace().skip(1);
        let (address, local_port) = words.next()?.split_once(':')?;
        (local_port == port && words.nth(1)? == LISTEN).then(|| !is_loopback(address))
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
    fn only_loopback_is_safe_from_other_machines() {
        let of = |table, port| listeners(table, port).collect::<Vec<bool>>();
        // A connection of 10.0.0.5:7890 is no listener.
        assert_eq!(of(TCP, 7890), [false]);
        assert_eq!(of(TCP, 8000), [true]);
        assert_eq!(of(TCP, 8001), [true]);
        assert_eq!(of(TCP6, 7890), [false]);
        assert_eq!(of(TCP6, 8000), [true]);
        assert_eq!(of(TCP6, 8001), [false]);
        assert!(of(TCP, 1).is_empty());
        assert!(of("nonsense\n:::\n1: 2\n", 7890).is_empty());
    }
}
