//! Tells systemd how the process is doing, where systemd has started it (`Type=notify`).
//!
//! The protocol is that of `sd_notify(3)`: lines of `NAME=VALUE` in one datagram to the socket that `NOTIFY_SOCKET` names.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt as _, os::unix::net::UnixDatagram};

use crate::config::Environment;

/// The variable in which systemd names its socket.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// The service manager's socket. Without one, nothing is sent.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
}

impl ServiceManager {
    /// The one that has started this process.
    #[must_use]
    pub fn find(environment: &Environment) -> Self {
        let socket =
            environment.get(SOCKET_VARIABLE).and_then(|address| match connect(OsStr::new(address)) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(%error, "cannot reach the service manager at {SOCKET_VARIABLE}");
                    None
                }
            });
        Self { socket }
    }

    /// Requests are served from here on.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// The graceful shutdown has started.
    pub fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=shutting down");
    }

    /// The process ends, and so many lines of its log with it: nobody reads the log, so this is said here.
    pub fn log_lines_lost(&self, lines: u64) {
        self.send(&format!(
            "STATUS=stopped; {lines} lines of the log were lost, because standard error was not read"
        ));
    }

    fn send(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(state.as_bytes())
        {
            tracing::warn!(%error, "the service manager was not notified");
        }
    }
}

/// An address that begins with `@` is an abstract one, which is no file.
fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // Whoever does not read must not hold up the process.
    socket.set_nonblocking(true)?;
    match address.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
            socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
        }
        _ => socket.connect(address)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsString, fs};

    use super::*;

    fn received(bound: &UnixDatagram, address: &OsStr) -> Vec<String> {
        let manager = ServiceManager { socket: Some(connect(address).unwrap()) };
        manager.ready("http://127.0.0.1:4100");
        manager.stopping();
        manager.log_lines_lost(3);
        let mut buffer = [0; 200];
        let mut next = || {
            let length = bound.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        vec![next(), next(), next()]
    }

    #[test]
    fn a_file_and_an_abstract_name_are_addresses() {
        let expected = [
            "READY=1\nSTATUS=http://127.0.0.1:4100",
            "STOPPING=1\nSTATUS=shutting down",
            "STATUS=stopped; 3 lines of the log were lost, because standard error was not read",
        ];
        let file = std::env::temp_dir().join(format!("switchboard-notify-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let bound = UnixDatagram::bind(&file).unwrap();
        assert_eq!(received(&bound, file.as_os_str()), expected);
        fs::remove_file(&file).unwrap();

        #[cfg(target_os = "linux")]
        {
            use std::os::{linux::net::SocketAddrExt as _, unix::net::SocketAddr};
            let name = format!("switchboard-notify-{}", std::process::id());
            let bound =
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
            assert_eq!(received(&bound, &OsString::from(format!("@{name}"))), expected);
        }
    }

    #[test]
    fn an_unread_socket_holds_nothing_up() {
        let file = std::env::temp_dir().join(format!("switchboard-unread-{}", std::process::id()));
        let _ = fs::remove_file(&file);
        let _bound = UnixDatagram::bind(&file).unwrap();
        let manager = ServiceManager { socket: Some(connect(file.as_os_str()).unwrap()) };
        for _ in 0..10_000 {
            manager.stopping();
        }
        fs::remove_file(&file).unwrap();
    }
}
