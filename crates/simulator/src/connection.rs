//! One client's connection.
//!
//! hyper is driven directly: its services may fail, which ends the connection without a response, and it returns the
//! socket, which can then be reset. A router's services cannot fail.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::playback::Abort;
use crate::service;
use crate::shared::{Shared, ShutdownSignal};
use crate::traffic::OpenConnection;

/// Serves requests until the client disconnects, a fault ends the connection, or the port is closed and no call is in flight.
pub(crate) async fn serve(
    stream: TcpStream,
    shared: Arc<Shared>,
    open: OpenConnection,
    mut closing: ShutdownSignal,
) {
    // Three peers that wait for each other's delayed acknowledgements would stall every stream.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| service::serve(&shared, request));
    let mut builder = http1::Builder::new();
    builder.keep_alive(shared.keep_alive);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut connection => Some(ended),
        () = closing.triggered() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let fault = ended.as_ref().err().and_then(|error| error.source()?.downcast_ref::<Abort>());
    if fault == Some(&Abort::Reset) {
        // A socket that does not linger is reset when it is dropped.
        let _ = connection.into_parts().io.inner().set_zero_linger();
    }
    drop(open);
}
