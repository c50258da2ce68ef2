//! Why no request could be sent: what lies between this process and the provider, or what this machine lacks.

use std::fmt;
use std::io;

use rustix::io::Errno;

/// Why no connection to the provider could be made (F7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectCause {
    /// No name server knows the host.
    HostUnknown,
    /// Nothing listens on the port.
    Refused,
    /// The network has no way to the host, or the connection was lost while it was made.
    Unreachable,
    /// It took longer than `timeouts.connect`.
    Timeout,
    /// No TLS: the certificate is not trusted, or the port speaks something else.
    Tls,
    /// The proxy refuses, or is no proxy.
    Proxy,
}

impl ConnectCause {
    /// A short code without anything of the provider's. It may be stored in a circuit.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::HostUnknown => "host_unknown",
            Self::Refused => "connection_refused",
            Self::Unreachable => "unreachable",
            Self::Timeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
        }
    }

    /// The cause of a failed system call.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            _ => Self::Unreachable,
        }
    }
}

impl fmt::Display for ConnectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HostUnknown => "host unknown",
            Self::Refused => "connection refused",
            Self::Unreachable => "host unreachable",
            Self::Timeout => "timeouts.connect expired",
            Self::Tls => "TLS failed",
            Self::Proxy => "the proxy failed",
        })
    }
}

/// What this machine or process lacks (C8). No provider is responsible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LocalResource {
    /// File descriptors.
    Descriptors,
    /// Local ports for outgoing connections.
    Ports,
    /// Memory or buffers of the kernel.
    Memory,
    /// Threads, for instance for looking up a name.
    Threads,
}

impl LocalResource {
    /// What a failed system call lacks, if it is this machine that lacks it. A local port is not among them: the same error
    /// also means that the machine has no address to reach the host from.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        match Errno::from_io_error(error)? {
            Errno::MFILE | Errno::NFILE => Some(Self::Descriptors),
            Errno::NOMEM | Errno::NOBUFS => Some(Self::Memory),
            // Linux says so where the range of local ports is used up.
            Errno::AGAIN => Some(Self::Ports),
            _ => None,
        }
    }
}

impl fmt::Display for LocalResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Descriptors => "file descriptors",
            Self::Ports => "local ports",
            Self::Memory => "memory for connections",
            Self::Threads => "threads",
        })
    }
}
