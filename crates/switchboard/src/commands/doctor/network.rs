//! Checks of the connection to Redis: host, port, TLS and authentication.

use std::{fmt::Display, time::Duration};

use ::circuits::RedisNode;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, aio::MultiplexedConnection};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{diagnosis::Diagnosis, finding::Check};

/// The longest wait of a check.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

const AUTH_ADVICE: &str = "check the user and password in REDIS_URL: redis://user:password@host:6379 \
                           (no user before Redis 6 or without ACLs: redis://:password@host:6379)";

/// Checks everything up to an authenticated connection.
pub(super) async fn check(server: &RedisNode, diagnosis: &mut Diagnosis) -> Option<MultiplexedConnection> {
    match server.host_and_port() {
        Some((host, port)) => check_host_and_port(host, port, server.uses_tls(), diagnosis).await?,
        None => {
            diagnosis.skip(Check::Host, "not needed for a socket file");
            diagnosis.skip(Check::Port, "not needed for a socket file");
        }
    }
    let mut connection = match connect(server).await {
        Ok(connection) => connection,
        Err(error) => {
            report_connect_error(&error, server.uses_tls(), diagnosis);
            return None;
        }
    };
    if server.uses_tls() {
        diagnosis.ok(Check::Tls, "encrypted, certificate trusted");
    } else {
        diagnosis.skip(Check::Tls, "not used with redis://; use rediss:// for TLS");
    }
    authenticate(&mut connection, diagnosis).await.then_some(connection)
}

async fn check_host_and_port(host: &str, port: u16, tls: bool, diagnosis: &mut Diagnosis) -> Option<()> {
    let addresses: Vec<_> = match timeout(CHECK_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let advice =
                "check the host in REDIS_URL; in Docker it is the name of the service, not localhost";
            diagnosis.fail(Check::Host, format_args!("cannot resolve {host}: {error}"), advice);
            return None;
        }
        Err(_) => {
            let found =
                format!("{host}: no response from the DNS server within {} s", CHECK_TIMEOUT.as_secs());
            diagnosis.fail(Check::Host, found, "check the DNS settings of this machine");
            return None;
        }
    };
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    diagnosis.ok(Check::Host, format_args!("{host} is {}", list.join(", ")));
    let advice = if tls {
        "check the port in REDIS_URL and the firewalls"
    } else {
        "start it (docker-compose up -d redis, or redis-server), or check the port in REDIS_URL and the firewalls"
    };
    match timeout(CHECK_TIMEOUT, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => diagnosis.ok(Check::Port, format_args!("{port} is open")),
        Ok(Err(error)) => {
            diagnosis.fail(Check::Port, format_args!("cannot connect to port {port}: {error}"), advice);
            return None;
        }
        Err(_) => {
            diagnosis.fail(
                Check::Port,
                format_args!("{port}: no response within {} s", CHECK_TIMEOUT.as_secs()),
                advice,
            );
            return None;
        }
    }
    Some(())
}

/// Connects with RESP2, so that a Redis too old for RESP3 still reports its version.
pub(super) async fn connect(server: &RedisNode) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CHECK_TIMEOUT))
        .set_response_timeout(Some(CHECK_TIMEOUT));
    server.plain_client()?.get_multiplexed_async_connection_with_config(&config).await
}

/// Why there is no connection although the port is open.
fn report_connect_error(error: &RedisError, tls: bool, diagnosis: &mut Diagnosis) {
    if error.kind() == ErrorKind::AuthenticationFailed || is_auth_error(error) {
        if tls {
            diagnosis.ok(Check::Tls, "encrypted, certificate trusted");
        }
        return diagnosis.fail(Check::Authentication, error_text(error), AUTH_ADVICE);
    }
    if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
        let advice = "check the database number at the end of REDIS_URL and the permissions of this user";
        return diagnosis.fail(Check::Authentication, error_text(error), advice);
    }
    if tls {
        let advice = "check that this port uses TLS (if not: redis://), and that its certificate is from a public \
                      authority and names this host";
        return diagnosis.fail(Check::Tls, error, advice);
    }
    let advice = "check that the port in REDIS_URL belongs to Redis; if it uses TLS, write rediss://";
    if error.is_timeout() {
        let found =
            format!("the port is open, but there is no response within {} s", CHECK_TIMEOUT.as_secs());
        return diagnosis.fail(
            Check::Server,
            found,
            "check whether Redis hangs; if the port uses TLS, write rediss://",
        );
    }
    diagnosis.fail(Check::Server, format_args!("not a Redis server: {error}"), advice);
}

/// Only a first command shows whether the login is accepted.
async fn authenticate(connection: &mut MultiplexedConnection, diagnosis: &mut Diagnosis) -> bool {
    match redis::cmd("PING").query_async::<String>(connection).await {
        Ok(_) => {
            diagnosis.ok(Check::Authentication, "authenticated");
            true
        }
        Err(error) if is_auth_error(&error) || error.code() == Some("NOPERM") => {
            diagnosis.fail(Check::Authentication, error_text(&error), AUTH_ADVICE);
            false
        }
        Err(error) if error.code() == Some("LOADING") => {
            diagnosis.fail(Check::Server, "Redis is still loading its data", "wait and run this again");
            false
        }
        Err(error) => {
            report_connect_error(&error, false, diagnosis);
            false
        }
    }
}

fn is_auth_error(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
        || error.detail().is_some_and(|text| text.contains("AUTH"))
}

/// The error as Redis wrote it.
pub(super) fn error_text(error: &RedisError) -> impl Display {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
