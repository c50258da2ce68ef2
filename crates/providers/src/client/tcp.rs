//! Connects to a host that has several addresses.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::error::ClientError;
use crate::cause::{ConnectCause, LocalResource};

/// How long one address is waited for before the next one is tried as well (RFC 8305).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// A model may think for minutes without sending anything, and routers forget silent connections.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Connects to the address that accepts first.
pub(crate) async fn connect(addresses: &[IpAddr], port: u16) -> Result<TcpStream, ClientError> {
    let mut remaining = alternate(addresses).into_iter().map(|ip| SocketAddr::new(ip, port));
    let mut connecting = FuturesUnordered::new();
    let mut failures = Vec::new();
    loop {
        connecting.extend(remaining.next().map(connect_to));
        let failure = tokio::select! {
            biased;
            Some(result) = connecting.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(failure) => failure,
            },
            () = sleep(NEXT_ADDRESS_AFTER), if remaining.len() > 0 => continue,
            else => return Err(summary(failures)),
        };
        failures.push(failure);
    }
}

async fn connect_to(address: SocketAddr) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let stream = TcpStream::connect(address).await.map_err(|error| (address, error))?;
    // Either option only saves time.
    _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_INTERVAL).with_interval(KEEPALIVE_INTERVAL);
    _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    Ok(stream)
}

/// The addresses of both families in turn, in their order: one family may be unreachable.
fn alternate(addresses: &[IpAddr]) -> Vec<IpAddr> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let (preferred, others): (Vec<_>, Vec<_>) =
        addresses.iter().partition(|address| address.is_ipv4() == first.is_ipv4());
    let mut others = others.into_iter();
    let mut mixed = Vec::with_capacity(addresses.len());
    for address in preferred {
        mixed.push(address);
        mixed.extend(others.next());
    }
    mixed.extend(others);
    mixed
}

/// What this machine lacks outranks what the provider did, since the provider was not really tried.
fn summary(failures: Vec<(SocketAddr, io::Error)>) -> ClientError {
    if let Some(resource) = failures.iter().find_map(|(address, error)| local_resource(*address, error)) {
        return ClientError::Local(resource);
    }
    let refused = failures.iter().position(|(_, error)| ConnectCause::of(error) == ConnectCause::Refused);
    match failures.into_iter().nth(refused.unwrap_or(0)) {
        Some((address, error)) => {
            ClientError::not_connected(ConnectCause::of(&error), format!("{address}: {error}"))
        }
        None => ClientError::not_connected(ConnectCause::HostUnknown, "the host has no addresses"),
    }
}

fn local_resource(address: SocketAddr, error: &io::Error) -> Option<LocalResource> {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => is_routed(address).then_some(LocalResource::Ports),
        _ => LocalResource::of(error),
    }
}

/// Whether this machine has an address from which it can reach another. The kernel says so without sending anything; it
/// needs no port to that address, unlike a connection.
fn is_routed(address: SocketAddr) -> bool {
    let unspecified: IpAddr = if address.is_ipv4() {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let connected = UdpSocket::bind((unspecified, 0)).and_then(|socket| socket.connect(address));
    match connected {
        Ok(()) => true,
        Err(error) => LocalResource::of(&error).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::IpAddr;

    use super::{ClientError, ConnectCause, LocalResource, alternate, connect, summary};

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_alternate() {
        let mixed = alternate(&addresses(&["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"]));
        assert_eq!(mixed, addresses(&["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]));
        let mixed = alternate(&addresses(&["10.0.0.1", "::1", "::2"]));
        assert_eq!(mixed, addresses(&["10.0.0.1", "::1", "::2"]));
    }

    #[tokio::test]
    async fn the_next_address_is_tried_after_a_refusal() {
        let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = connect(&addresses(&["127.0.0.1", "127.0.0.2"]), port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        drop(listener);
        let error = connect(&addresses(&["127.0.0.1", "127.0.0.2"]), port).await.unwrap_err();
        let ClientError::NotConnected { cause: ConnectCause::Refused, detail } = error else {
            panic!("{error:?}")
        };
        assert_eq!(detail, format!("127.0.0.1:{port}: Connection refused (os error 111)"));
    }

    #[test]
    fn a_shortage_of_this_machine_outranks_a_refusal() {
        let error = |number| io::Error::from_raw_os_error(number);
        let failures = |numbers: [i32; 2]| {
            numbers.map(|number| ("127.0.0.1:1".parse().unwrap(), error(number))).into_iter().collect()
        };
        for (number, resource) in [
            (24, LocalResource::Descriptors),
            (23, LocalResource::Descriptors),
            (99, LocalResource::Ports),
            (12, LocalResource::Memory),
            (105, LocalResource::Memory),
        ] {
            let error = summary(failures([111, number]));
            assert!(matches!(error, ClientError::Local(found) if found == resource), "{number}: {error:?}");
        }
        let error = summary(failures([101, 111]));
        assert!(matches!(error, ClientError::NotConnected { cause: ConnectCause::Refused, .. }), "{error:?}");
    }
}
