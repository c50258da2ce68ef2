//! Checks on the way to Redis: the host, the port, TLS and the login.

use std::{fmt::Display, time::Duration};

use ::circuits::RedisNode;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, aio::MultiplexedConnection};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{diagnosis::Diagnosis, finding::Check};

/// Nothing is waited for longer than this.
pub(super) const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

const AUTH_ADVICE: &str = "check the user and password in REDIS_URL: redis://user:password@host:6379 \
                           (no user before Redis 6 or without ACLs: redis://:password@host:6379)";

/// Goes all the way to a connection that the server has let in.
pub(super) async fn check(server: &RedisNode, diagnosis: &mut Diagnosis) -> Option<MultiplexedConnection> {
    match server.host_and_port() {
        Some((host, port)) => check_host_and_port(host, port, server.uses_tls(), diagnosis).await?,
        None => {
            diagnosis.skip(Check::Host, "a socket file has none");
            diagnosis.skip(Check::Port, "a socket file has none");
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
        diagnosis.ok(Check::Tls, "encrypted, and the certificate is trusted");
    } else {
        diagnosis.skip(Check::Tls, "redis:// asks for none; rediss:// does");
    }
    authenticate(&mut connection, diagnosis).await.then_some(connection)
}

async fn check_host_and_port(host: &str, port: u16, tls: bool, diagnosis: &mut Diagnosis) -> Option<()> {
    let addresses: Vec<_> = match timeout(CHECK_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let advice = "check the host in REDIS_URL; in Docker it is the service's name, not localhost";
            diagnosis.fail(Check::Host, format_args!("{host} is not known: {error}"), advice);
            return None;
        }
        Err(_) => {
            let found =
                format!("{host}: no answer from the name server within {} s", CHECK_TIMEOUT.as_secs());
            diagnosis.fail(Check::Host, found, "check this machine's DNS");
            return None;
        }
    };
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    diagnosis.ok(Check::Host, format_args!("{host} is {}", list.join(", ")));
    let advice = if tls {
        "check the port in REDIS_URL, and firewalls on the way"
    } else {
        "start it (docker-compose up -d redis, or redis-server), or check the port in REDIS_URL and firewalls on the way"
    };
    match timeout(CHECK_TIMEOUT, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => diagnosis.ok(Check::Port, format_args!("{port} is open")),
        Ok(Err(error)) => {
            diagnosis.fail(Check::Port, format_args!("nothing listens on {port}: {error}"), advice);
            return None;
        }
        Err(_) => {
            diagnosis.fail(
                Check::Port,
                format_args!("{port}: no answer within {} s", CHECK_TIMEOUT.as_secs()),
                advice,
            );
            return None;
        }
    }
    Some(())
}

/// Connects by RESP2, so that a Redis too old for RESP3 can still tell its version.
pub(super) async fn connect(server: &RedisNode) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CHECK_TIMEOUT))
        .set_response_timeout(Some(CHECK_TIMEOUT));
    server.plain_client()?.get_multiplexed_async_connection_with_config(&config).await
}

/// Whose fault it is that there is no connection although the port is open.
fn report_connect_error(error: &RedisError, tls: bool, diagnosis: &mut Diagnosis) {
    if error.kind() == ErrorKind::AuthenticationFailed || is_auth_error(error) {
        if tls {
            diagnosis.ok(Check::Tls, "encrypted, and the certificate is trusted");
        }
        return diagnosis.fail(Check::Authentication, error_text(error), AUTH_ADVICE);
    }
    if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
        let advice = "check the database number at the end of REDIS_URL, and what this user may do";
        return diagnosis.fail(Check::Authentication, error_text(error), advice);
    }
    if tls {
        let advice = "check that this port speaks TLS (if not: redis://), and that its certificate is of a public \
                      authority and names this host";
        return diagnosis.fail(Check::Tls, error, advice);
    }
    let advice = "check that the port in REDIS_URL is that of Redis; if it speaks TLS, write rediss://";
    if error.is_timeout() {
        let found = format!("the port is open, but nothing answers within {} s", CHECK_TIMEOUT.as_secs());
        return diagnosis.fail(
            Check::Server,
            found,
            "look whether Redis hangs; if the port speaks TLS, write rediss://",
        );
    }
    diagnosis.fail(Check::Server, format_args!("what answers is no Redis: {error}"), advice);
}

/// A first command shows whether Redis lets this user in.
async fn authenticate(connection: &mut MultiplexedConnection, diagnosis: &mut Diagnosis) -> bool {
    match redis::cmd("PING").query_async::<String>(connection).await {
        Ok(_) => {
            diagnosis.ok(Check::Authentication, "let in");
            true
        }
        Err(error) if is_auth_error(&error) || error.code() == Some("NOPERM") => {
            diagnosis.fail(Check::Authentication, error_text(&error), AUTH_ADVICE);
            false
        }
        Err(error) if error.code() == Some("LOADING") => {
            diagnosis.fail(Check::Server, "Redis is still loading its data", "wait, then run this again");
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

/// Redis' own words.
pub(super) fn error_text(error: &RedisError) -> impl Display {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
