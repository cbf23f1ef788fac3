use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A server that accepts connections. Dropping it ends whatever was started for it.
pub trait Connect {
    fn connect(&self) -> io::Result<Box<dyn Wire>>;
}

/// One connection: bytes in, bytes out.
pub trait Wire {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Appends what arrives within `wait` to `buffer`. `Ok(0)`: the server has closed the connection;
    /// `ErrorKind::TimedOut`: nothing came.
    fn receive(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> io::Result<usize>;
}

impl Connect for SocketAddr {
    fn connect(&self) -> io::Result<Box<dyn Wire>> {
        let stream = TcpStream::connect_timeout(self, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

macro_rules! wire {
    ($($stream:ty),*) => {$(
        impl Wire for $stream {
            fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.write_all(bytes)
            }

            fn receive(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> io::Result<usize> {
                // A read timeout of zero would mean "for ever".
                self.set_read_timeout(Some(wait.max(Duration::from_millis(1))))?;
                let mut chunk = [0; 16 * 1024];
                match self.read(&mut chunk) {
                    Ok(count) => {
                        buffer.extend_from_slice(&chunk[..count]);
                        Ok(count)
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => Ok(0),
                    Err(error) => Err(error),
                }
            }
        }
    )*};
}

wire!(TcpStream, UnixStream);
