//! Serves what requests ask for.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::case::Case;
use crate::message::Reader;

/// Serves for ever.
pub(crate) async fn serve(listen: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    LocalSet::new().run_until(accept(listener)).await
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    loop {
        let (connection, _) = listener.accept().await?;
        // A proxy that closes a connection ends it alone.
        tokio::task::spawn_local(async move { serve_connection(connection).await.ok() });
    }
}

async fn serve_connection(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let (input, mut output) = connection.split();
    let mut reader = Reader::new(input);
    let mut responses = HashMap::new();
    while let Some((_, body)) = reader.next().await? {
        let Some(case) = Case::of_request(body) else {
            output.write_all(b"HTTP/1.1 400 No case\r\ncontent-length: 0\r\n\r\n").await?;
            continue;
        };
        let pieces = Rc::clone(responses.entry(case).or_insert_with(|| Rc::new(case.response())));
        let start = Instant::now();
        for (number, piece) in (0_u32..).zip(pieces.iter()) {
            output.write_all(piece).await?;
            match case {
                Case::Stream { gap: Duration::ZERO, .. } => tokio::task::yield_now().await,
                Case::Stream { gap, .. } => tokio::time::sleep_until(start + gap * number).await,
                Case::Whole { .. } => {}
            }
        }
    }
    Ok(())
}
