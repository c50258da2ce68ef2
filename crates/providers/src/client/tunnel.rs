//! Asks a proxy for a connection to a provider.

use std::net::IpAddr;

use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::error::ClientError;
use super::transport::Transport;
use crate::cause::ConnectCause;

/// The largest head of a proxy's response.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// What SOCKS connects to.
pub(crate) enum SocksTarget<'a> {
    Name(&'a str),
    Address(IpAddr),
}

/// A tunnel through an HTTP proxy (RFC 9110, section 9.3.6).
pub(crate) async fn connect_http(
    transport: &mut Transport,
    authority: &str,
    authorization: Option<&HeaderValue>,
) -> Result<(), ClientError> {
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(value.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    transport.write_all(&request).await.map_err(interrupted)?;
    transport.flush().await.map_err(interrupted)?;
    let mut head = Vec::with_capacity(256);
    let end = loop {
        if let Some(at) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > MAX_HEAD_BYTES || transport.read_buf(&mut head).await.map_err(interrupted)? == 0 {
            return Err(failed("it gave no HTTP response to CONNECT"));
        }
    };
    let status = head.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5)).unwrap_or_default();
    match status {
        // What follows belongs to the tunnel, in which the provider waits for us to speak first. A refusal may have a page.
        [b'2', ..] if head.len() > end => Err(failed("it sent more than its response to CONNECT")),
        [b'2', ..] => Ok(()),
        b"407" if authorization.is_some() => {
            Err(failed("it does not accept the user and password (HTTP 407)"))
        }
        b"407" => Err(failed("it requires a user and password (HTTP 407); write them into its URL")),
        [b'5', ..] => {
            Err(failed(format!("it does not reach {authority} (HTTP {})", String::from_utf8_lossy(status))))
        }
        status if status.iter().all(u8::is_ascii_digit) && !status.is_empty() => {
            Err(failed(format!("it refuses the connection (HTTP {})", String::from_utf8_lossy(status))))
        }
        _ => Err(failed("it gave no HTTP response to CONNECT")),
    }
}

/// A connection through a SOCKS proxy (RFC 1928, RFC 1929).
pub(crate) async fn connect_socks(
    transport: &mut Transport,
    target: SocksTarget<'_>,
    port: u16,
    user_and_password: Option<(&str, &str)>,
) -> Result<(), ClientError> {
    const VERSION: u8 = 5;
    const NO_LOGIN: u8 = 0;
    const PASSWORD: u8 = 2;
    const CONNECT: u8 = 1;
    let method = if user_and_password.is_some() { PASSWORD } else { NO_LOGIN };
    transport.write_all(&[VERSION, 1, method]).await.map_err(interrupted)?;
    let [version, accepted] = read(transport).await?;
    if version != VERSION {
        return Err(failed("it does not speak SOCKS 5"));
    }
    if accepted != method {
        return Err(failed("it does not accept this way to log in"));
    }
    if let Some((user, password)) = user_and_password {
        let mut login = vec![1];
        push_text(&mut login, user)?;
        push_text(&mut login, password)?;
        transport.write_all(&login).await.map_err(interrupted)?;
        let [_, status] = read(transport).await?;
        if status != 0 {
            return Err(failed("it does not accept the user and password"));
        }
    }
    let mut request = vec![VERSION, CONNECT, 0];
    match target {
        SocksTarget::Address(IpAddr::V4(address)) => {
            request.push(1);
            request.extend_from_slice(&address.octets());
        }
        SocksTarget::Address(IpAddr::V6(address)) => {
            request.push(4);
            request.extend_from_slice(&address.octets());
        }
        SocksTarget::Name(name) => {
            request.push(3);
            push_text(&mut request, name)?;
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    transport.write_all(&request).await.map_err(interrupted)?;
    let [_, reply, _, address_type] = read(transport).await?;
    if reply != 0 {
        return Err(failed(format!("it refuses the connection ({})", socks_reply(reply))));
    }
    // The address from which it connects, which is of no use.
    match address_type {
        1 => drop(read::<6>(transport).await?),
        4 => drop(read::<18>(transport).await?),
        3 => {
            let [length] = read(transport).await?;
            for _ in 0..usize::from(length) + 2 {
                let [_] = read(transport).await?;
            }
        }
        _ => return Err(failed("its reply is not SOCKS 5")),
    }
    Ok(())
}

fn push_text(bytes: &mut Vec<u8>, text: &str) -> Result<(), ClientError> {
    let length = u8::try_from(text.len()).map_err(|_| failed("SOCKS has no room for so long a name"))?;
    bytes.push(length);
    bytes.extend_from_slice(text.as_bytes());
    Ok(())
}

async fn read<const N: usize>(transport: &mut Transport) -> Result<[u8; N], ClientError> {
    let mut bytes = [0; N];
    transport.read_exact(&mut bytes).await.map_err(interrupted)?;
    Ok(bytes)
}

const fn socks_reply(code: u8) -> &'static str {
    match code {
        2 => "its rules do not allow it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "timeout",
        _ => "general failure",
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn interrupted(error: std::io::Error) -> ClientError {
    failed(format!("the connection to it ended: {error}"))
}

fn failed(problem: impl Into<String>) -> ClientError {
    ClientError::not_connected(ConnectCause::Proxy, problem)
}
