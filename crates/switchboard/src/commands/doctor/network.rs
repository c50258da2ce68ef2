//! Checks on the way to Redis: the host, the port, TLS and the login.

use std::{fmt::Display, time::Duration};

use ::circuits::RedisNode;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, aio::MultiplexedConnection};
use tokio::{
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::{examination::Examination, finding::Check};

/// Nothing is waited for longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

const AUTH_ADVICE: &str = "check the user and password in REDIS_URL: redis://user:password@host:6379 \
                           (no user before Redis 6 or without ACLs: redis://:password@host:6379)";

/// Goes all the way to a connection that the server has let in.
pub(super) async fn examine(
    server: &RedisNode,
    examination: &mut Examination,
) -> Option<MultiplexedConnection> {
    match server.host_and_port() {
        Some((host, port)) => reach(host, port, server.uses_tls(), examination).await?,
        None => {
            examination.skip(Check::Host, "a socket file has none");
            examination.skip(Check::Port, "a socket file has none");
        }
    }
    let mut connection = match connect(server).await {
        Ok(connection) => connection,
        Err(error) => {
            blame(&error, server.uses_tls(), examination);
            return None;
        }
    };
    if server.uses_tls() {
        examination.ok(Check::Tls, "encrypted, and the certificate is trusted");
    } else {
        examination.skip(Check::Tls, "redis:// asks for none; rediss:// does");
    }
    log_in(&mut connection, examination).await.then_some(connection)
}

async fn reach(host: &str, port: u16, tls: bool, examination: &mut Examination) -> Option<()> {
    let addresses: Vec<_> = match timeout(PATIENCE, lookup_host((host, port))).await {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            let advice = "check the host in REDIS_URL; in Docker it is the service's name, not localhost";
            examination.fail(Check::Host, format_args!("{host} is not known: {error}"), advice);
            return None;
        }
        Err(_) => {
            let found = format!("{host}: no answer from the name server within {} s", PATIENCE.as_secs());
            examination.fail(Check::Host, found, "check this machine's DNS");
            return None;
        }
    };
    let list: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    examination.ok(Check::Host, format_args!("{host} is {}", list.join(", ")));
    let advice = if tls {
        "check the port in REDIS_URL, and firewalls on the way"
    } else {
        "start it (docker-compose up -d redis, or redis-server), or check the port in REDIS_URL and firewalls on the way"
    };
    match timeout(PATIENCE, TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => examination.ok(Check::Port, format_args!("{port} is open")),
        Ok(Err(error)) => {
            examination.fail(Check::Port, format_args!("nothing listens on {port}: {error}"), advice);
            return None;
        }
        Err(_) => {
            examination.fail(
                Check::Port,
                format_args!("{port}: no answer within {} s", PATIENCE.as_secs()),
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
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    server.plain_client()?.get_multiplexed_async_connection_with_config(&config).await
}

/// Whose fault it is that there is no connection although the port is open.
fn blame(error: &RedisError, tls: bool, examination: &mut Examination) {
    if error.kind() == ErrorKind::AuthenticationFailed || is_refused_login(error) {
        if tls {
            examination.ok(Check::Tls, "encrypted, and the certificate is trusted");
        }
        return examination.fail(Check::Authentication, told(error), AUTH_ADVICE);
    }
    if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
        let advice = "check the database number at the end of REDIS_URL, and what this user may do";
        return examination.fail(Check::Authentication, told(error), advice);
    }
    if tls {
        let advice = "check that this port speaks TLS (if not: redis://), and that its certificate is of a public \
                      authority and names this host";
        return examination.fail(Check::Tls, error, advice);
    }
    let advice = "check that the port in REDIS_URL is that of Redis; if it speaks TLS, write rediss://";
    if error.is_timeout() {
        let found = format!("the port is open, but nothing answers within {} s", PATIENCE.as_secs());
        return examination.fail(
            Check::Server,
            found,
            "look whether Redis hangs; if the port speaks TLS, write rediss://",
        );
    }
    examination.fail(Check::Server, format_args!("what answers is no Redis: {error}"), advice);
}

/// A first command shows whether Redis lets this user in.
async fn log_in(connection: &mut MultiplexedConnection, examination: &mut Examination) -> bool {
    match redis::cmd("PING").query_async::<String>(connection).await {
        Ok(_) => {
            examination.ok(Check::Authentication, "let in");
            true
        }
        Err(error) if is_refused_login(&error) || error.code() == Some("NOPERM") => {
            examination.fail(Check::Authentication, told(&error), AUTH_ADVICE);
            false
        }
        Err(error) if error.code() == Some("LOADING") => {
            examination.fail(Check::Server, "Redis is still loading its data", "wait, then run this again");
            false
        }
        Err(error) => {
            blame(&error, false, examination);
            false
        }
    }
}

fn is_refused_login(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
        || error.detail().is_some_and(|text| text.contains("AUTH"))
}

/// Redis' own words.
pub(super) fn told(error: &RedisError) -> impl Display {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}
