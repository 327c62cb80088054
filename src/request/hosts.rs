//! The names under which this store answers. A page of another site can have its own name point at this machine (DNS rebinding),
//! and is then, to a browser, of the store's own origin: only the header `Host`, which has that name, tells.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};

use crate::request::authority::{Authority, Host};
use crate::words::error::Error;
use crate::words::http::Head;
use crate::words::shell::quote;

/// The value of `--allow-host` that allows all of them.
const ANY: &str = "*";

/// The port that a socket is pointed at to learn its address; nothing is sent there.
const DISCARD_PORT: u16 = 9;

/// The names and addresses that are not foreign.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    any: bool,
    /// What the machine is called, what `--listen` calls it, and what `--allow-host` allows.
    named: Vec<Host>,
}

impl Hosts {
    /// Those of the machine, of `--listen` and of `--allow-host`. The error is a sentence for the user.
    pub fn new(listen: &str, allowed: &[String]) -> Result<Hosts, String> {
        let machine = rustix::system::uname();
        let mut named = names_of_machine(&machine.nodename().to_string_lossy());
        // What cannot be parsed there cannot be listened on.
        named.extend(listen.parse().map(|listen: Authority| listen.host));
        for name in allowed.iter().filter(|name| *name != ANY) {
            // An IPv6 address is clear without its brackets, too.
            let host = name.parse().or_else(|_| format!("[{name}]").parse());
            let host = host.ok().filter(|_| !name.contains(ANY));
            named.push(host.map(|host| canonical(&host)).ok_or_else(|| {
                format!("--allow-host {name} is not a host, such as lab.example or 192.168.1.5, without scheme and port, nor *")
            })?);
        }
        Ok(Hosts {
            any: allowed.iter().any(|name| name == ANY),
            named,
        })
    }

    /// Refuses a request that was sent to another name: 421 (RFC 9110, section 15.5.20), or 400 if it is none.
    /// One that names no host is served, as HTTP/1.0 has it: no browser sends such.
    pub fn check(&self, head: &Head, stream: &TcpStream) -> Result<(), Error> {
        // A proxy that rewrites `Host` may tell here what the browser asked for.
        for name in head.hosts().chain(head.forwarded_hosts()) {
            let asked: Authority = name
                .parse()
                .map_err(|_| Error::refused(400, format!("'{name}' is not a host with or without a port.")))?;
            if !self.any && !self.know(&canonical(&asked.host), stream) {
                return Err(Error::refused(
                    421,
                    format!(
                        "This store does not answer to the name '{host}'. If that is a name of it, start it with --allow-host {word}",
                        host = asked.host,
                        // Whoever asked has chosen it, and RFC 3986 has `;` and `$` in names.
                        word = quote(&asked.host.to_string()),
                    ),
                ));
            }
        }
        Ok(())
    }

    fn know(&self, host: &Host, stream: &TcpStream) -> bool {
        self.named.contains(host)
            || match host {
                Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
                Host::Address(address) => address.is_loopback() || is_ours(*address, stream),
            }
    }
}

/// Whether this is an address of this machine: the one that the client came to, or one from which packets to it would be sent.
/// A UDP socket tells without sending any.
fn is_ours(address: IpAddr, stream: &TcpStream) -> bool {
    let came_to = stream.local_addr().map(|local| local.ip().to_canonical());
    let sender = || {
        let any = match address {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((address, DISCARD_PORT))?;
        socket.local_addr()
    };
    came_to.is_ok_and(|ours| ours == address) || sender().is_ok_and(|ours| ours.ip() == address)
}

/// `pc7.lab.example` is also `pc7`, and `pc7.local` by multicast DNS (RFC 6762).
fn names_of_machine(name: &str) -> Vec<Host> {
    let short = name.split('.').next().unwrap_or_default();
    let names = [name.to_string(), short.to_string(), format!("{short}.local")];
    let names = names.iter().filter(|_| !short.is_empty());
    names.filter_map(|name| name.parse().ok()).collect()
}

/// A name without the dot that may end it, and an IPv4 address that is written as one of IPv6 as what it is.
fn canonical(host: &Host) -> Host {
    match host {
        Host::Name(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name.parse().unwrap_or_else(|_| host.clone())
        }
        Host::Address(address) => Host::Address(address.to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// What becomes of a request to this host.
    fn status(hosts: &Hosts, host: &str) -> u16 {
        check(hosts, host).map_or_else(|error| error.status(), |()| 200)
    }

    fn check(hosts: &Hosts, host: &str) -> Result<(), Error> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let head = Head {
            headers: vec![("host".into(), host.into())],
            ..Head::default()
        };
        hosts.check(&head, &stream)
    }

    fn hosts(listen: &str, allowed: &[&str]) -> Hosts {
        let allowed: Vec<String> = allowed.iter().map(|name| name.to_string()).collect();
        Hosts::new(listen, &allowed).unwrap()
    }

    #[test]
    fn loopback_by_whatever_name_is_ours() {
        let hosts = hosts("127.0.0.1:7890", &[]);
        for host in [
            "localhost",
            "LOCALHOST:1",
            "localhost.",
            "cam.localhost:7890",
            "127.0.0.1",
            "127.255.0.3:80",
            "[::1]:7890",
            "[::ffff:127.0.0.1]",
            "127.0.0.1.",
            "127.1",
            "0x7f.1:80",
            "2130706433",
        ] {
            assert_eq!(status(&hosts, host), 200, "{host}");
        }
    }

    #[test]
    fn other_names_and_addresses_are_not_and_what_is_no_host_is_400() {
        let hosts = hosts("127.0.0.1:7890", &[]);
        for host in [
            "evil.example",
            "evil.example:7890",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example",
            "evil-127.0.0.1:7890",
            "127.0.0.1:7890.evil.example",
            "local",
            "0.0.0.0",
            "[::]",
            "203.0.113.5",
            "[2001:db8::1]",
            "255.255.255.255",
            "224.0.0.1",
            "localhost..",
            "*",
            "null",
        ] {
            let expected = if host.parse::<Authority>().is_ok() { 421 } else { 400 };
            assert_eq!(status(&hosts, host), expected, "{host}");
        }
        for host in [
            "a b",
            "localhost:x",
            "ada@localhost",
            "[::1",
            "localhost/",
            "localhost, evil.example",
        ] {
            assert_eq!(status(&hosts, host), 400, "{host}");
        }
    }

    #[test]
    fn what_the_flags_name_is_ours() {
        let hosts = hosts("[::]:7890", &["Lab.Example", "192.0.2.7", "2001:db8::1", "pc7."]);
        for host in [
            "lab.example",
            "LAB.example.:80",
            "192.0.2.7:1",
            "[2001:DB8::1]",
            "pc7",
            "[::]:7890",
        ] {
            assert_eq!(status(&hosts, host), 200, "{host}");
        }
        for host in ["example", "x.lab.example", "192.0.2.70", "pc7.evil.example"] {
            assert_eq!(status(&hosts, host), 421, "{host}");
        }
        for bad in ["lab.example:80", "http://lab", "", "a b", "lab/", "*.lab.example:1"] {
            let error = Hosts::new("x:1", &[bad.into()]).unwrap_err();
            assert!(error.contains("--allow-host"), "{error}");
        }
    }

    #[test]
    fn with_an_asterisk_all_names_are_ours_but_what_is_no_host_stays_400() {
        let hosts = hosts("127.0.0.1:7890", &["*"]);
        assert_eq!(status(&hosts, "evil.example"), 200);
        assert_eq!(status(&hosts, "evil example"), 400);
    }

    #[test]
    fn a_name_stays_one_word_in_the_flag_that_would_allow_it() {
        let hosts = hosts("127.0.0.1:7890", &[]);
        for (host, word) in [("lab.example", "lab.example"), ("a;$(id)", "'a;$(id)'")] {
            let told = check(&hosts, host).unwrap_err().to_string();
            assert!(told.ends_with(&format!("--allow-host {word}")), "{told}");
        }
    }

    #[test]
    fn the_machine_answers_to_its_own_name_short_and_long() {
        let show = |name: &str| {
            let names = names_of_machine(name);
            names.iter().map(Host::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(show("PC7"), "pc7 pc7 pc7.local");
        assert_eq!(show("pc7.lab.example"), "pc7.lab.example pc7 pc7.local");
        assert_eq!(show(""), "");
        let own = rustix::system::uname().nodename().to_string_lossy().into_owned();
        assert_eq!(status(&hosts("127.0.0.1:7890", &[]), &format!("{own}:7890")), 200);
    }

    #[test]
    fn a_name_that_a_proxy_passes_on_counts_as_well() {
        let hosts = hosts("127.0.0.1:7890", &[]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut head = Head {
            headers: vec![("Host".into(), "127.0.0.1".into())],
            ..Head::default()
        };
        assert_eq!(hosts.check(&head, &stream), Ok(()));
        head.headers.push(("X-Forwarded-Host".into(), "evil.example".into()));
        assert_eq!(hosts.check(&head, &stream).unwrap_err().status(), 421);
    }
}
