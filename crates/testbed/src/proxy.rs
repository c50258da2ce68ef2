//! A network between two programs that can fail as networks do.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::{Mutex, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};

use crate::port::free_port;

/// Connections that wait to be accepted.
const ACCEPT_BACKLOG: u32 = 1_024;

/// Attempts to bind its port, one every 10 ms.
const MAX_BIND_ATTEMPTS: u32 = 200;

/// What passes. Anything else is kept, as TCP would retransmit it, and arrives once traffic passes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TrafficMode {
    Normal,
    /// Data in either direction is delayed by this much.
    Delayed(Duration),
    /// Requests pass, responses do not.
    RequestsOnly,
    Blocked,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseMode {
    /// With FIN.
    Graceful,
    /// With RST, as after a crash of the peer's machine.
    Reset,
}

/// A TCP proxy on its own port. It begins as a working network; on drop it closes all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: Arc<Link>,
    listener: Mutex<Listener>,
}

/// State that all connections share.
#[derive(Debug)]
struct Link {
    target: SocketAddr,
    traffic_mode: watch::Sender<TrafficMode>,
    close_mode: watch::Sender<CloseMode>,
}

#[derive(Debug)]
enum Listener {
    Accepting(JoinHandle<()>),
    /// Bound, so that no other program takes the port, but not listening: connections are refused.
    Bound(TcpSocket),
    Unbound,
}

impl Proxy {
    /// A proxy in front of a port of 127.0.0.1.
    ///
    /// # Panics
    /// No port is free.
    pub async fn to_port(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let link = Arc::new(Link {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            traffic_mode: watch::Sender::new(TrafficMode::Normal),
            close_mode: watch::Sender::new(CloseMode::Graceful),
        });
        let proxy = Self { address, link, listener: Mutex::new(Listener::Unbound) };
        proxy.start_accepting().await;
        proxy
    }

    /// The port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Restores the network: delayed data arrives, and connections are accepted.
    ///
    /// # Panics
    /// The port cannot be listened on any more.
    pub async fn restore(&self) {
        self.link.traffic_mode.send_replace(TrafficMode::Normal);
        self.start_accepting().await;
    }

    /// Delays data in either direction.
    pub fn delay(&self, by: Duration) {
        self.link.traffic_mode.send_replace(TrafficMode::Delayed(by));
    }

    /// Drops all traffic silently: connections look alive and are dead.
    pub fn blackhole(&self) {
        self.link.traffic_mode.send_replace(TrafficMode::Blocked);
    }

    /// Requests pass, responses do not.
    pub fn block_responses(&self) {
        self.link.traffic_mode.send_replace(TrafficMode::RequestsOnly);
    }

    /// Closes all connections with FIN. New ones work as before.
    pub fn close_connections(&self) {
        self.link.close_mode.send_replace(CloseMode::Graceful);
    }

    /// Resets all connections. New ones work as before.
    pub fn reset_connections(&self) {
        self.link.close_mode.send_replace(CloseMode::Reset);
    }

    /// Closes all connections and refuses new ones, as a machine without the server does.
    ///
    /// # Panics
    /// Another program took the port at the same moment.
    pub async fn refuse_connections(&self) {
        let mut listener = self.listener.lock().await;
        if let Listener::Accepting(accepting) = &mut *listener {
            accepting.abort();
            // The listener is gone once its task has ended.
            drop(accepting.await);
            *listener = Listener::Bound(self.bind().await);
        }
        self.close_connections();
    }

    async fn start_accepting(&self) {
        let mut listener = self.listener.lock().await;
        let socket = match std::mem::replace(&mut *listener, Listener::Unbound) {
            Listener::Accepting(accepting) => return *listener = Listener::Accepting(accepting),
            Listener::Bound(socket) => socket,
            Listener::Unbound => self.bind().await,
        };
        let socket = or_panic(socket.listen(ACCEPT_BACKLOG));
        *listener = Listener::Accepting(tokio::spawn(accept_loop(socket, Arc::clone(&self.link))));
    }

    /// Binds the port. A process that is just being spawned holds a copy of a closed listener for a moment.
    async fn bind(&self) -> TcpSocket {
        let bind = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            Ok(socket)
        };
        for _ in 0..MAX_BIND_ATTEMPTS {
            if let Ok(socket) = bind() {
                return socket;
            }
            sleep(Duration::from_millis(10)).await;
        }
        or_panic(bind())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Listener::Accepting(accepting) = self.listener.get_mut() {
            accepting.abort();
        }
        self.close_connections();
    }
}

#[expect(clippy::panic, reason = "a test cannot continue without its network")]
fn or_panic<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the proxy's port: {error}"))
}

async fn accept_loop(listener: TcpListener, link: Arc<Link>) {
    while let Ok((client, _)) = listener.accept().await {
        // Subscribed from here on, so that no connection outlives a close that happens while it is established.
        let close = link.close_mode.subscribe();
        tokio::spawn(proxy_connection(client, Arc::clone(&link), close));
    }
}

/// Forwards one connection until either side or the proxy ends it.
async fn proxy_connection(mut client: TcpStream, link: Arc<Link>, mut close: watch::Receiver<CloseMode>) {
    let Ok(mut server) = TcpStream::connect(link.target).await else { return };
    for socket in [&client, &server] {
        drop(socket.set_nodelay(true));
    }
    let mode = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let requests = copy_direction(from_client, to_server, link.traffic_mode.subscribe(), |mode| {
            mode != TrafficMode::Blocked
        });
        let responses = copy_direction(from_server, to_client, link.traffic_mode.subscribe(), |mode| {
            !matches!(mode, TrafficMode::Blocked | TrafficMode::RequestsOnly)
        });
        tokio::select! {
            _ = requests => CloseMode::Graceful,
            _ = responses => CloseMode::Graceful,
            _ = close.changed() => *close.borrow(),
        }
    };
    if mode == CloseMode::Reset {
        for socket in [&client, &server] {
            drop(socket.set_zero_linger());
        }
    }
}

/// Forwards one direction while `passes` allows it.
async fn copy_direction(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut mode: watch::Receiver<TrafficMode>,
    passes: impl Fn(TrafficMode) -> bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        let arrived = Instant::now();
        if length == 0 {
            return Ok(());
        }
        let passing = mode.wait_for(|mode| passes(*mode)).await.map(|mode| *mode);
        match passing {
            Ok(TrafficMode::Delayed(by)) => sleep_until(arrived + by).await,
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
        to.write_all(&buffer[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SHORT_TIMEOUT: Duration = Duration::from_millis(100);
    const LONG_TIMEOUT: Duration = Duration::from_secs(5);

    /// A server that echoes each byte twice, behind a proxy.
    async fn start_echo_server() -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut byte = [0];
                    while connection.read_exact(&mut byte).await.is_ok() {
                        connection.write_all(&[byte[0], byte[0]]).await.unwrap();
                    }
                });
            }
        });
        Proxy::to_port(port).await
    }

    async fn connect(proxy: &Proxy) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await
    }

    async fn read_reply(connection: &mut TcpStream) -> io::Result<[u8; 2]> {
        let mut reply = [0; 2];
        connection.read_exact(&mut reply).await.map(|_| reply)
    }

    async fn send_and_read(connection: &mut TcpStream) -> io::Result<[u8; 2]> {
        connection.write_all(b"x").await?;
        read_reply(connection).await
    }

    #[tokio::test]
    async fn blocked_data_arrives_later() {
        let proxy = start_echo_server().await;
        let mut connection = connect(&proxy).await.unwrap();
        assert_eq!(&send_and_read(&mut connection).await.unwrap(), b"xx");
        for block in [Proxy::blackhole, Proxy::block_responses] {
            block(&proxy);
            assert!(timeout(SHORT_TIMEOUT, send_and_read(&mut connection)).await.is_err(), "it got a reply");
            proxy.restore().await;
            assert_eq!(&timeout(LONG_TIMEOUT, read_reply(&mut connection)).await.unwrap().unwrap(), b"xx");
        }
    }

    #[tokio::test]
    async fn a_delay_is_added_in_each_direction() {
        let proxy = start_echo_server().await;
        let mut connection = connect(&proxy).await.unwrap();
        proxy.delay(SHORT_TIMEOUT);
        let started = Instant::now();
        send_and_read(&mut connection).await.unwrap();
        assert!(started.elapsed() >= 2 * SHORT_TIMEOUT, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn connections_are_closed_reset_and_refused() {
        let proxy = start_echo_server().await;
        let mut connection = connect(&proxy).await.unwrap();
        send_and_read(&mut connection).await.unwrap();
        proxy.close_connections();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);

        let mut connection = connect(&proxy).await.unwrap();
        send_and_read(&mut connection).await.unwrap();
        proxy.reset_connections();
        let error = connection.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

        proxy.refuse_connections().await;
        assert_eq!(connect(&proxy).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        proxy.restore().await;
        assert_eq!(&send_and_read(&mut connect(&proxy).await.unwrap()).await.unwrap(), b"xx");
    }
}
