//! A collector of traces: takes OTLP over HTTP and keeps the spans.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What has come.
#[derive(Clone, Default)]
pub(crate) struct Collector {
    received: Arc<Mutex<Received>>,
    pub(crate) url: String,
}

#[derive(Default)]
struct Received {
    spans: Vec<Span>,
    raw: Vec<u8>,
    services: Vec<String>,
}

impl Collector {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, ..Self::default() };
        let kept = Arc::clone(&collector.received);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&kept)));
            }
        });
        collector
    }

    /// The spans that have come so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.received.lock().unwrap().spans.clone()
    }

    /// The first span that fits, which may be still to come.
    pub(crate) async fn wait_for_span(&self, what: &str, fits: impl Fn(&Span) -> bool) -> Span {
        testbed::wait_until(what, async || self.spans().iter().any(&fits)).await;
        self.spans().into_iter().find(fits).unwrap()
    }

    /// Whether a text is anywhere in what has come.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.received.lock().unwrap().raw.windows(text.len()).any(|part| part == text.as_bytes())
    }

    pub(crate) fn services(&self) -> Vec<String> {
        self.received.lock().unwrap().services.clone()
    }
}

async fn serve(connection: TcpStream, kept: Arc<Mutex<Received>>) {
    let mut connection = BufReader::new(connection);
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if connection.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if first.is_empty() {
                first = line;
            }
        }
        assert!(first.starts_with("POST /v1/traces "), "{first}");
        let mut body = vec![0; length];
        connection.read_exact(&mut body).await.unwrap();
        let request = ExportTraceServiceRequest::decode(&*body).unwrap();
        {
            let mut kept = kept.lock().unwrap();
            kept.raw.extend(&body);
            for group in request.resource_spans {
                let attributes = group.resource.unwrap().attributes;
                kept.services.extend(attribute_text(&attributes, "service.name"));
                kept.spans.extend(group.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
        }
        connection.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    }
}

/// An attribute in words.
pub(crate) fn attribute_text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        Value::DoubleValue(value) => value.to_string(),
        other => format!("{other:?}"),
    })
}
