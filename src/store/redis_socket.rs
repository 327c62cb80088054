//! The socket under a connection to Redis: TCP or Unix, and one that never waits by itself.

use std::io::{self, IoSlice, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use redis::ConnectionAddr;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// A socket.
pub enum RedisSocket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl RedisSocket {
    /// Connects within `patience`.
    pub fn connect(address: &ConnectionAddr, patience: Duration) -> io::Result<RedisSocket> {
        match address {
            ConnectionAddr::Tcp(host, port) => connect_tcp(host, *port, patience).map(RedisSocket::Tcp),
            ConnectionAddr::Unix(path) => {
                // The queue of a Redis that hangs fills up; waiting for room in it would have no end.
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
                connect(&socket, &SocketAddrUnix::new(path)?)?;
                Ok(RedisSocket::Unix(UnixStream::from(socket)))
            }
            _ => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "TLS to Redis is not supported",
            )),
        }
    }

    /// Like `Take` and `read_to_end`, and on the streams themselves, because these need no buffer filled with zeros.
    pub fn read_up_to(&self, count: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            RedisSocket::Tcp(stream) => stream.take(count as u64).read_to_end(bytes),
            RedisSocket::Unix(stream) => stream.take(count as u64).read_to_end(bytes),
        }
    }

    /// Writes as much of it as there is room for.
    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            RedisSocket::Tcp(stream) => stream.write_vectored(pieces),
            RedisSocket::Unix(stream) => stream.write_vectored(pieces),
        }
    }
}

impl Read for RedisSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            RedisSocket::Tcp(stream) => stream.read(buffer),
            RedisSocket::Unix(stream) => stream.read(buffer),
        }
    }
}

impl AsFd for RedisSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            RedisSocket::Tcp(stream) => stream.as_fd(),
            RedisSocket::Unix(stream) => stream.as_fd(),
        }
    }
}

fn connect_tcp(host: &str, port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                // One command waits for one reply here, which Nagle's algorithm would delay.
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
