//! The page's files with canned answers of the API: states of a fleet that would take minutes or several machines to bring about.

use std::{
    collections::HashMap,
    convert::Infallible,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::{Path as Part, State},
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;

const POLICY: &str =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";

/// A gateway that says what a test wants it to say.
pub(crate) struct Canned {
    pub(crate) url: String,
    answers: Arc<Answers>,
}

#[derive(Default)]
struct Answers {
    snapshot: Mutex<Value>,
    histories: Mutex<HashMap<String, Value>>,
    posts: Mutex<Vec<String>>,
    stopped: AtomicBool,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<Result<Event, Infallible>>>>,
}

impl Canned {
    /// Starts it with what `GET /circuits` and the first event of each stream are.
    pub(crate) async fn start(snapshot: Value) -> Self {
        let answers = Arc::new(Answers { snapshot: Mutex::new(snapshot), ..Answers::default() });
        let router = Router::new()
            .route("/dashboard", get(async || page_file("index.html")))
            .route("/dashboard/{file}", get(async |Part(file): Part<String>| page_file(&file)))
            .route("/circuits", get(async |State(answers): State<Arc<Answers>>| Json(answers.now())))
            .route("/circuits/events", get(subscribe))
            .route("/circuits/{key}/history", get(history))
            .route("/{*path}", post(record))
            .with_state(Arc::clone(&answers));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, answers }
    }

    /// What a model's history is.
    pub(crate) fn set_history(&self, key: &str, history: Value) {
        self.answers.histories.lock().unwrap().insert(key.to_owned(), history);
    }

    /// From now on `GET /circuits` is this, and those who listen are told.
    pub(crate) fn change(&self, snapshot: Value) {
        *self.answers.snapshot.lock().unwrap() = snapshot;
        self.send("snapshot", &self.answers.now());
    }

    /// Sends an event to those who listen.
    pub(crate) fn send(&self, name: &str, data: &Value) {
        let event = || Ok(Event::default().event(name).data(data.to_string()));
        self.answers.subscribers.lock().unwrap().retain(|subscriber| subscriber.send(event()).is_ok());
    }

    /// Ends all streams and begins no more.
    pub(crate) fn stop(&self) {
        self.answers.stopped.store(true, Ordering::Relaxed);
        self.answers.subscribers.lock().unwrap().clear();
    }

    /// The paths that were posted to.
    pub(crate) fn posts(&self) -> Vec<String> {
        self.answers.posts.lock().unwrap().clone()
    }
}

impl Answers {
    fn now(&self) -> Value {
        let mut snapshot = self.snapshot.lock().unwrap().clone();
        snapshot["now"] = now().into();
        snapshot
    }
}

/// Unix ms.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn page_file(name: &str) -> Response {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/src/dashboard").join(name);
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css",
        _ => "text/javascript",
    };
    let text = std::fs::read_to_string(&path).unwrap();
    ([(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY)], text).into_response()
}

async fn subscribe(State(answers): State<Arc<Answers>>) -> Response {
    if answers.stopped.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let (sender, receiver) = mpsc::unbounded_channel();
    let _ = sender.send(Ok(Event::default().event("snapshot").data(answers.now().to_string())));
    answers.subscribers.lock().unwrap().push(sender);
    Sse::new(stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver))))
        .into_response()
}

async fn history(State(answers): State<Arc<Answers>>, Part(key): Part<String>) -> Json<Value> {
    let history = answers.histories.lock().unwrap().get(&key).cloned().unwrap_or_else(|| json!([]));
    Json(json!({"key": key, "history": history}))
}

async fn record(State(answers): State<Arc<Answers>>, Part(path): Part<String>) -> Json<Value> {
    answers.posts.lock().unwrap().push(path);
    Json(json!({}))
}
