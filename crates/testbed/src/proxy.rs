//! A network between two programs that can be broken in the ways networks break.

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
const BACKLOG: u32 = 1_024;

/// So often its port is tried to be had, every 10 ms.
const BIND_TRIES: u32 = 200;

/// What passes. What does not is kept, as TCP would send it again, and arrives once it may or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Both,
    /// Each piece, in either direction, arrives so much later.
    Late(Duration),
    /// Requests arrive, answers do not.
    RequestsAlone,
    Nothing,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// In good order (FIN).
    Closed,
    /// With TCP's RST, as after a crash of the peer's machine.
    Reset,
}

/// A TCP proxy on a port of its own. It begins as a good network; dropped, it ends with all its connections.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
    door: Mutex<Door>,
}

/// What all connections share.
#[derive(Debug)]
struct Wire {
    target: SocketAddr,
    flow: watch::Sender<Flow>,
    end: watch::Sender<End>,
}

#[derive(Debug)]
enum Door {
    Open(JoinHandle<()>),
    /// Bound, so that nobody else takes the port, but not listened on: connections are refused.
    Closed(TcpSocket),
    Broken,
}

impl Proxy {
    /// A proxy before a port of 127.0.0.1.
    ///
    /// # Panics
    /// No port is free.
    pub async fn to(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let wire = Arc::new(Wire {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            flow: watch::Sender::new(Flow::Both),
            end: watch::Sender::new(End::Closed),
        });
        let proxy = Self { address, wire, door: Mutex::new(Door::Broken) };
        proxy.accept().await;
        proxy
    }

    /// The port to connect to.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// All is well again: what was held back arrives, and connections are accepted.
    ///
    /// # Panics
    /// The port cannot be listened on any more.
    pub async fn heal(&self) {
        self.wire.flow.send_replace(Flow::Both);
        self.accept().await;
    }

    /// Every piece that is sent, in either direction, arrives so much later.
    pub fn delay(&self, by: Duration) {
        self.wire.flow.send_replace(Flow::Late(by));
    }

    /// Nothing passes any more, and nobody is told: connections look alive and are dead.
    pub fn fall_silent(&self) {
        self.wire.flow.send_replace(Flow::Nothing);
    }

    /// What is asked arrives, what is answered does not.
    pub fn hold_answers(&self) {
        self.wire.flow.send_replace(Flow::RequestsAlone);
    }

    /// Closes all connections, in good order. New ones are as good as before.
    pub fn cut(&self) {
        self.wire.end.send_replace(End::Closed);
    }

    /// Resets all connections. New ones are as good as before.
    pub fn reset(&self) {
        self.wire.end.send_replace(End::Reset);
    }

    /// Closes all connections and refuses new ones, as a machine without the server does.
    ///
    /// # Panics
    /// Somebody else took the port in the same moment.
    pub async fn refuse(&self) {
        let mut door = self.door.lock().await;
        if let Door::Open(accepting) = &mut *door {
            accepting.abort();
            // The listener is gone once its task has ended.
            drop(accepting.await);
            *door = Door::Closed(self.bind().await);
        }
        self.cut();
    }

    async fn accept(&self) {
        let mut door = self.door.lock().await;
        let socket = match std::mem::replace(&mut *door, Door::Broken) {
            Door::Open(accepting) => return *door = Door::Open(accepting),
            Door::Closed(socket) => socket,
            Door::Broken => self.bind().await,
        };
        let listener = must(socket.listen(BACKLOG));
        *door = Door::Open(tokio::spawn(accept(listener, Arc::clone(&self.wire))));
    }

    /// Takes the port. A process that is being started holds a copy of a closed listener for a moment.
    async fn bind(&self) -> TcpSocket {
        let bind = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(self.address)?;
            Ok(socket)
        };
        for _ in 0..BIND_TRIES {
            if let Ok(socket) = bind() {
                return socket;
            }
            sleep(Duration::from_millis(10)).await;
        }
        must(bind())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Door::Open(accepting) = self.door.get_mut() {
            accepting.abort();
        }
        self.cut();
    }
}

#[expect(clippy::panic, reason = "a test that has no network cannot go on")]
fn must<T>(result: io::Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("the proxy's port: {error}"))
}

async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    while let Ok((client, _)) = listener.accept().await {
        // Told of ends from here on, so that no connection outlives a cut that comes while it is made.
        let ends = wire.end.subscribe();
        tokio::spawn(carry(client, Arc::clone(&wire), ends));
    }
}

/// Carries one connection until either side or the proxy ends it.
async fn carry(mut client: TcpStream, wire: Arc<Wire>, mut ends: watch::Receiver<End>) {
    let Ok(mut server) = TcpStream::connect(wire.target).await else { return };
    for socket in [&client, &server] {
        drop(socket.set_nodelay(true));
    }
    let end = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        let requests = pump(from_client, to_server, wire.flow.subscribe(), |flow| flow != Flow::Nothing);
        let answers = pump(from_server, to_client, wire.flow.subscribe(), |flow| {
            !matches!(flow, Flow::Nothing | Flow::RequestsAlone)
        });
        tokio::select! {
            _ = requests => End::Closed,
            _ = answers => End::Closed,
            _ = ends.changed() => *ends.borrow(),
        }
    };
    if end == End::Reset {
        for socket in [&client, &server] {
            drop(socket.set_zero_linger());
        }
    }
}

/// Carries one direction, as long as `passes` lets it.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut flow: watch::Receiver<Flow>,
    passes: impl Fn(Flow) -> bool,
) -> io::Result<()> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        let arrived = Instant::now();
        if length == 0 {
            return Ok(());
        }
        let now = flow.wait_for(|flow| passes(*flow)).await.map(|flow| *flow);
        match now {
            Ok(Flow::Late(by)) => sleep_until(arrived + by).await,
            Ok(_) => {}
            Err(_) => return Ok(()),
        }
        to.write_all(&piece[..length]).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const BRIEF: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(5);

    /// A server that says everything twice, behind a proxy.
    async fn echo() -> Proxy {
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
        Proxy::to(port).await
    }

    async fn connect(proxy: &Proxy) -> io::Result<TcpStream> {
        TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await
    }

    async fn hear(connection: &mut TcpStream) -> io::Result<[u8; 2]> {
        let mut answer = [0; 2];
        connection.read_exact(&mut answer).await.map(|_| answer)
    }

    async fn ask(connection: &mut TcpStream) -> io::Result<[u8; 2]> {
        connection.write_all(b"x").await?;
        hear(connection).await
    }

    #[tokio::test]
    async fn what_is_held_back_arrives_later() {
        let proxy = echo().await;
        let mut connection = connect(&proxy).await.unwrap();
        assert_eq!(&ask(&mut connection).await.unwrap(), b"xx");
        for silence in [Proxy::fall_silent, Proxy::hold_answers] {
            silence(&proxy);
            assert!(timeout(BRIEF, ask(&mut connection)).await.is_err(), "it was answered");
            proxy.heal().await;
            assert_eq!(&timeout(LONG, hear(&mut connection)).await.unwrap().unwrap(), b"xx");
        }
    }

    #[tokio::test]
    async fn a_delay_is_added_in_each_direction() {
        let proxy = echo().await;
        let mut connection = connect(&proxy).await.unwrap();
        proxy.delay(BRIEF);
        let asked = Instant::now();
        ask(&mut connection).await.unwrap();
        assert!(asked.elapsed() >= 2 * BRIEF, "{:?}", asked.elapsed());
    }

    #[tokio::test]
    async fn connections_are_closed_reset_and_refused() {
        let proxy = echo().await;
        let mut connection = connect(&proxy).await.unwrap();
        ask(&mut connection).await.unwrap();
        proxy.cut();
        assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);

        let mut connection = connect(&proxy).await.unwrap();
        ask(&mut connection).await.unwrap();
        proxy.reset();
        let error = connection.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);

        proxy.refuse().await;
        assert_eq!(connect(&proxy).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        proxy.heal().await;
        assert_eq!(&ask(&mut connect(&proxy).await.unwrap()).await.unwrap(), b"xx");
    }
}
