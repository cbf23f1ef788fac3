//! Where clients come from: TCP addresses and a Unix socket.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, UnixListener};

use crate::client::Address;
use crate::config::Config;
use crate::connection::Socket;

#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, path: String },
}

/// Opens what the configuration asks for, and tells the TCP port (0 if there is none). With port 0 and no Unix socket the
/// system chooses a free port, the same for every address.
pub(crate) fn open(config: &Config) -> io::Result<(Vec<Listener>, u16)> {
    let mut listeners = Vec::new();
    let path = config.text("unixsocket");
    if !path.is_empty() {
        // A socket left behind by a server that was killed must not keep this one from starting.
        let _ = fs::remove_file(path);
        listeners
            .push(Listener::Unix { listener: UnixListener::bind(path)?, path: path.to_owned() });
    }
    let mut port = config.number("port") as u16;
    if port == 0 && !path.is_empty() {
        return Ok((listeners, 0));
    }
    for word in config.text("bind").split_whitespace() {
        let (optional, word) = word.strip_prefix('-').map_or((false, word), |word| (true, word));
        let address = if word == "*" { "0.0.0.0" } else { word };
        let address: IpAddr = address.parse().map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("cannot bind '{word}': not an address"),
            )
        })?;
        match TcpListener::bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(Listener::Tcp(listener));
            }
            Err(_) if optional => {}
            Err(error) => {
                return Err(io::Error::new(
                    error.kind(),
                    format!("cannot bind {word}:{port}: {error}"),
                ));
            }
        }
    }
    Ok((listeners, port))
}

impl Listener {
    /// The next client that waits, if any.
    pub(crate) fn accept(&self) -> io::Result<Option<(Socket, Address)>> {
        let accepted = match self {
            Listener::Tcp(listener) => listener.accept().and_then(|(stream, peer)| {
                // Replies are written whole: waiting for more would only delay them.
                stream.set_nodelay(true)?;
                let local = stream.local_addr()?;
                Ok((Socket::Tcp(stream), Address::Tcp { peer, local }))
            }),
            Listener::Unix { listener, path } => listener
                .accept()
                .map(|(stream, _)| (Socket::Unix(stream), Address::Unix { path: path.clone() })),
        };
        match accepted {
            Ok(client) => Ok(Some(client)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix { path, .. } = self {
            let _ = fs::remove_file(path);
        }
    }
}
