//! One call to one model, from its circuit's leave to what came of it.
//!
//! A stream is opened as far as its first content, so that until then another model can take its place unseen (C3);
//! a held one is then read to its end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use circuits::{Circuits, Permit, Refusal};
use providers::{Answer, EventStream, Fault, Provider, WholeAnswer};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Span;

use crate::{
    Call, Chain, LargestHeld, Meter, Traces, patience, spans,
    trial::{Due, Trial},
};

/// What an attempt needs to know of its call. Many may be made for one call, side by side.
#[derive(Clone, Copy)]
pub(crate) struct Errand<'a> {
    pub(crate) circuits: &'a Circuits,
    pub(crate) chain: &'a Arc<Chain>,
    pub(crate) call: &'a Call,
    /// The end of `timeouts.total`.
    pub(crate) deadline: Instant,
    /// Calls made to providers.
    pub(crate) attempts: &'a AtomicU32,
    pub(crate) meter: &'a Arc<Meter>,
    /// The call's span.
    pub(crate) span: &'a Span,
    pub(crate) traces: Option<&'a dyn Traces>,
}

/// Waiting before the same model is called again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    pub(crate) length: Duration,
    /// The provider asked for it, and its circuit keeps others away meanwhile.
    pub(crate) rest: bool,
}

/// An attempt that has come to its end.
pub(crate) struct Tried {
    /// The model's place in the chain.
    pub(crate) at: usize,
    pub(crate) came: Came,
}

/// What came of an attempt.
pub(crate) enum Came {
    /// The circuit gave no leave; nothing was called.
    Refused(Refusal),
    /// An answer in one piece.
    Whole(WholeAnswer),
    /// A stream that has spoken, or ended well without a word.
    Opened(Spoken),
    /// A held stream, whole.
    Held(Spoken),
    /// A stream that has grown too large to be held.
    TooLarge(Spoken),
    /// No good answer. The circuit knows.
    Failed(Fault),
    /// `timeouts.total` ran out.
    OutOfTime,
}

/// A stream that has spoken.
pub(crate) struct Spoken {
    /// What has come and was not handed on.
    pub(crate) held: Vec<Bytes>,
    /// The rest. Boxed, since it is handed on at every event.
    pub(crate) stream: Box<EventStream>,
    pub(crate) trial: Trial,
}

enum Opened {
    Whole(WholeAnswer),
    Stream { held: Vec<Bytes>, stream: Box<EventStream> },
}

impl Errand<'_> {
    /// Asks the circuit for leave and calls the model once, after a pause if there is one.
    pub(crate) async fn attempt(self, at: usize, pause: Option<Pause>) -> Tried {
        let came = match self.leave(at, pause).await {
            Ok(permit) => self.call_once(at, permit).await,
            Err(refusal) => {
                let key = &self.chain.steps[at].key;
                tracing::debug!(request = self.call.id, model = %key, why = %refusal, "passed by");
                Came::Refused(refusal)
            }
        };
        Tried { at, came }
    }

    async fn leave(self, at: usize, pause: Option<Pause>) -> Result<Permit, Refusal> {
        let mut rest_ends = None;
        if let Some(Pause { length, rest }) = pause {
            rest_ends = rest.then(|| Instant::now() + length);
            sleep(length).await;
        }
        loop {
            match self.circuits.admit(&self.chain.steps[at].key).await {
                Ok(permit) => return Ok(permit),
                Err(refusal) => match patience::rest_of_rest(&refusal, rest_ends) {
                    Some(rest) => sleep(rest).await,
                    None => return Err(refusal),
                },
            }
        }
    }

    /// Calls one model once. Its circuit learns how that went; a stream's, as far as it went.
    async fn call_once(self, at: usize, permit: Permit) -> Came {
        let Self { chain, call, .. } = self;
        let step = &chain.steps[at];
        let began = Instant::now();
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let attempt = self.meter.attempt(&step.key, chain.model_is_on_a_route);
        let span = spans::attempt(self.span, &step.key, &step.provider, permit.is_probe());
        let traced = self.traces.map(|traces| traces.pass_on(&span, &call.headers));
        let due = Due::new(self.deadline, chain.timeouts.total);
        let mut trial = Trial::begin(permit, call.request.stream(), due, attempt, span);
        let body = call.request.with_model(step.key.model());
        let headers = traced.as_ref().unwrap_or(&call.headers);
        let to_provider = call.to_provider(step.key.model(), &body, headers, &chain.timeouts);
        let result =
            timeout_at(self.deadline, open(&step.provider, to_provider, &mut trial, chain.largest_held))
                .await;
        let told = |what: &str| {
            let ms = began.elapsed().as_secs_f64() * 1000.0;
            tracing::debug!(request = call.id, model = %step.key, ms, "attempt: {what}");
        };
        match result {
            Ok(Ok(Opened::Whole(answer))) => {
                told("answered");
                trial.answered_by(&answer.origin);
                trial.succeeded(answer.usage);
                Came::Whole(answer)
            }
            Ok(Ok(Opened::Stream { held, stream })) => {
                told("speaks");
                trial.answered_by(stream.origin());
                Came::Opened(Spoken { held, stream, trial })
            }
            Ok(Err(fault)) => {
                told(&fault.to_string());
                trial.failed(&fault, chain);
                Came::Failed(fault)
            }
            Err(_) => {
                // Whose fault that is, the trial says when it is dropped.
                told("timeouts.total ran out");
                Came::OutOfTime
            }
        }
    }

    /// Reads a stream that has spoken to its end, so that nobody sees it fail. The caller still has nothing of it, so
    /// `timeouts.total` goes on.
    pub(crate) async fn hold(self, at: usize, spoken: Spoken) -> Tried {
        let came = timeout_at(self.deadline, self.read_to_end(at, spoken)).await.unwrap_or_else(|_| {
            tracing::debug!(request = self.call.id, model = %self.chain.steps[at].key, "attempt: timeouts.total ran out while held");
            Came::OutOfTime
        });
        Tried { at, came }
    }

    async fn read_to_end(self, at: usize, mut spoken: Spoken) -> Came {
        let mut size: usize = spoken.held.iter().map(Bytes::len).sum();
        loop {
            match spoken.stream.next().await {
                Ok(Some(event)) => {
                    size += event.bytes.len();
                    spoken.held.push(event.bytes);
                    if size > self.chain.largest_held.0 {
                        let (id, key) = (&self.call.id, &self.chain.steps[at].key);
                        tracing::warn!(request = id, model = %key, "the answer is too large to be held: relayed from here on");
                        break Came::TooLarge(spoken);
                    }
                }
                Ok(None) => break Came::Held(spoken),
                Err(fault) => {
                    tracing::debug!(request = self.call.id, model = %self.chain.steps[at].key, %fault, "attempt: failed while held");
                    spoken.trial.failed(&fault, self.chain);
                    break Came::Failed(fault);
                }
            }
        }
    }
}

/// Calls the provider, and waits for its whole answer or for the stream's first content. What comes before that is kept,
/// so a provider that goes on without ever saying something has failed.
async fn open(
    provider: &Provider,
    call: providers::Call<'_>,
    trial: &mut Trial,
    LargestHeld(most): LargestHeld,
) -> Result<Opened, Fault> {
    let mut stream = match provider.call(call).await? {
        Answer::Whole(answer) => return Ok(Opened::Whole(answer)),
        Answer::Stream(stream) => stream,
    };
    let (mut held, mut size) = (Vec::new(), 0);
    while let Some(event) = stream.next().await? {
        trial.heard();
        size += event.bytes.len();
        held.push(event.bytes);
        if event.class.content {
            trial.first_token();
            break;
        }
        if size > most {
            return Err(Fault::too_large(most));
        }
    }
    Ok(Opened::Stream { held, stream: Box::new(stream) })
}
