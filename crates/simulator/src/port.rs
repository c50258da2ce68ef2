//! The listening port: open, or closed so that connections are refused.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection;
use crate::shared::{Shared, ShutdownSignal};

/// A port and its connections. It may be closed and reopened any number of times.
pub(crate) struct Port {
    address: SocketAddr,
    shared: Arc<Shared>,
    connections: Connections,
    state: State,
}

type Connections = Arc<Mutex<JoinSet<()>>>;

enum State {
    Open {
        accepting: JoinSet<()>,
        close: watch::Sender<bool>,
    },
    /// Bound but not listening: connections are refused, and no other program can take the port.
    Closed(TcpSocket),
    Unbound,
}

impl Port {
    pub(crate) async fn open(listen: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let mut port = Self { address, shared, connections: Connections::default(), state: State::Unbound };
        port.accept_on(listener);
        Ok(port)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections without a call in flight close soon after.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        if let State::Open { accepting, close } = &mut self.state {
            accepting.shutdown().await;
            close.send_replace(true);
            self.state = State::Unbound;
            self.state = State::Closed(self.bind()?);
        }
        Ok(())
    }

    pub(crate) fn reopen(&mut self) -> io::Result<()> {
        let socket = match mem::replace(&mut self.state, State::Unbound) {
            open @ State::Open { .. } => {
                self.state = open;
                return Ok(());
            }
            State::Closed(socket) => socket,
            State::Unbound => self.bind()?,
        };
        self.accept_on(socket.listen(1_024)?);
        Ok(())
    }

    /// Closes the port and waits until all connections have ended.
    pub(crate) async fn finish(mut self) {
        if let State::Open { accepting, close } = &mut self.state {
            accepting.shutdown().await;
            close.send_replace(true);
        }
        let mut connections = mem::take(&mut *lock(&self.connections));
        while connections.join_next().await.is_some() {}
    }

    fn bind(&self) -> io::Result<TcpSocket> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        Ok(socket)
    }

    fn accept_on(&mut self, listener: TcpListener) {
        let close = watch::Sender::new(false);
        let mut accepting = JoinSet::new();
        let (shared, connections) = (Arc::clone(&self.shared), Arc::clone(&self.connections));
        accepting.spawn(accept(listener, shared, connections, close.clone()));
        self.state = State::Open { accepting, close };
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: Connections,
    close: watch::Sender<bool>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Too many open files, for instance: an immediate retry would fail, too.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let serving = connection::serve(
            stream,
            Arc::clone(&shared),
            shared.recorder.open_connection(),
            ShutdownSignal::subscribe(&close),
        );
        let mut connections = lock(&connections);
        while connections.try_join_next().is_some() {}
        connections.spawn(serving);
    }
}

fn lock(connections: &Connections) -> MutexGuard<'_, JoinSet<()>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
