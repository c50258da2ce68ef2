//! `switchboard try`: one real call, told step by step.
//!
//! The call is one like any other: it goes over the configured route, its circuits in Redis decide and count, and its
//! tokens cost what they cost. No gateway needs to run.
//!
//! | file | subject |
//! | --- | --- |
//! | `request` | the request in each API format |
//! | `response` | text, tokens and errors of an answer in each API format |
//! | `report` | what is told, as text while it happens, or as JSON at the end |

mod report;
mod request;
mod response;

use std::{process::ExitCode, sync::Arc, time::Instant};

use anyhow::Context as _;
use circuits::{Circuits, StoreStatus};
use dialects::{Dialect, Endpoint};
use futures_util::StreamExt as _;
use http::HeaderMap;
use manager::{Body, Call, CallError, Chain, Events, ModelManager, Reply, Response, Settings, StreamMode};
use providers::CompleteResponse;

use self::{
    report::{Failure, Teller},
    response::StreamReader,
};
use super::{Session, local_circuits};
use crate::{cli::TryArguments, config::Config};

/// Calls the model, and tells how it went; exit code 1 if it did not answer.
///
/// # Errors
/// When the configuration is invalid, or standard output cannot be written.
pub async fn run(session: &Session, arguments: &TryArguments) -> anyhow::Result<ExitCode> {
    let config = Config::load(&session.sources(None)?)?;
    let circuits = local_circuits::start(&config);
    let manager = ModelManager::new(pass_through(config.manager_settings()), circuits.clone())?
        .with_lines(session.log.calls);
    let in_time = local_circuits::wait_for_first_read(&circuits).await;
    let mut teller = Teller::new(session.output, arguments.json.json, &arguments.model);
    teller.store(store_problem(&circuits, in_time))?;
    // A dropped call gives its permit back, so that an interrupted probe blocks nobody.
    tokio::select! {
        done = try_model(&manager, arguments, &mut teller) => done?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.context("cannot handle Ctrl-C")?;
            teller.failed(Failure::new("interrupted", "interrupted before the answer was complete"));
        }
    }
    local_circuits::flush(&circuits).await;
    let answered = teller.finish()?;
    Ok(if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The events of a buffered stream come without the model that answered, which is what a try is for.
fn pass_through(mut settings: Settings) -> Settings {
    settings.stream = StreamMode::PassThrough;
    settings.routes.values_mut().for_each(|route| route.stream = StreamMode::PassThrough);
    settings
}

/// Why circuits are not shared, if they should be.
fn store_problem(circuits: &Circuits, in_time: bool) -> Option<String> {
    match circuits.store_status() {
        StoreStatus::Degraded { error, .. } => Some(error.to_string()),
        StoreStatus::Starting if !in_time => Some("no response yet".to_owned()),
        _ => None,
    }
}

async fn try_model(
    manager: &ModelManager,
    arguments: &TryArguments,
    teller: &mut Teller,
) -> anyhow::Result<()> {
    let TryArguments { model, prompt, dialect, stream, .. } = arguments;
    let chain = match resolve(manager, model, *dialect) {
        Ok(chain) => chain,
        Err(error) => {
            teller.failed(Failure::new(error.code(), &error.to_string()));
            return Ok(());
        }
    };
    let dialect = dialect.unwrap_or_else(|| preferred_dialect(&chain));
    teller.chain(&chain, dialect)?;
    let call = Call {
        caller: None,
        allowed_models: None,
        id: uuid::Uuid::new_v4().to_string().into(),
        request: request::build(dialect, model, prompt, *stream)?,
        headers: HeaderMap::new(),
        fallback: true,
        beta: false,
        client_timeout: None,
        injected_fault: None,
    };
    let started_at = Instant::now();
    let result = manager.call(call).await;
    match result {
        Ok(Response::Reply(reply)) => tell_reply(dialect, reply, started_at, teller).await?,
        Ok(Response::Buffered(events)) => tell_stream(dialect, events, teller).await?,
        Err(error) => {
            teller.skipped(error.skipped(), None)?;
            teller.failed(Failure::of(&error));
        }
    }
    teller.took(started_at.elapsed());
    Ok(())
}

/// A bare name says by itself which provider has it; the API format only decides where it does not.
fn resolve(manager: &ModelManager, model: &str, dialect: Option<Dialect>) -> Result<Arc<Chain>, CallError> {
    let endpoint = Endpoint::generation(dialect.unwrap_or(Dialect::OpenAiChat));
    Ok(manager.catalog().resolve(endpoint, model)?)
}

/// That of the first model, so that nothing is translated unless the call goes on to another one.
fn preferred_dialect(chain: &Chain) -> Dialect {
    let first = chain.entries().first().and_then(|entry| entry.dialects().first());
    first.copied().unwrap_or(Dialect::OpenAiChat)
}

async fn tell_reply(
    dialect: Dialect,
    reply: Reply,
    started_at: Instant,
    teller: &mut Teller,
) -> anyhow::Result<()> {
    let Reply { answered_by, attempts, translated, skipped, body } = reply;
    teller.skipped(&skipped, Some(&*answered_by))?;
    teller.answered_by(&answered_by, attempts, translated.as_deref())?;
    match body {
        Body::Complete(response) => tell_response(dialect, &response, teller)?,
        Body::Stream { events, .. } | Body::Bytes { bytes: events, .. } => {
            teller.first_token_after(started_at.elapsed());
            tell_stream(dialect, events, teller).await?;
        }
    }
    Ok(())
}

fn tell_response(dialect: Dialect, response: &CompleteResponse, teller: &mut Teller) -> anyhow::Result<()> {
    if response.status.is_success() {
        teller.text(&response::text(dialect, &response.body))?;
        teller.usage(response.usage);
    } else {
        let message = response::error_message(&response.body);
        let message = format!("HTTP {}: {message}", response.status.as_u16());
        teller.failed(Failure::new("rejected_by_provider", &message));
    }
    Ok(())
}

async fn tell_stream(dialect: Dialect, mut events: Events, teller: &mut Teller) -> anyhow::Result<()> {
    let mut reader = StreamReader::new(dialect);
    while let Some(event) = events.next().await {
        teller.text(&reader.push(event?))?;
    }
    teller.usage(reader.usage);
    if let Some(message) = reader.error {
        teller.failed(Failure::new("stream_interrupted", &message));
    }
    Ok(())
}
