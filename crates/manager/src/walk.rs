//! The loop over the chain (C1 to C4).
//!
//! For each model in its order: pass it by if it cannot speak the caller's dialect or its circuit is open; else
//! call it, and let the fault decide between the same model, the next one and the caller. At the chain's end, wait
//! for a circuit that is about to let calls through again, if that is soon, and walk once more.

use std::{iter, sync::Arc, time::Duration};

use breaker::{Failure, FailureKind};
use bytes::Bytes;
use circuits::{Circuits, Permit};
use providers::{Blame, EventStream, Fault, WholeAnswer};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Body, Call, CallError, Chain, Passed, Reply, Why,
    attempt::{Opened, open},
    backoff::backoff,
    blame::{Sequel, sequel, settle},
    patience::{self, Patience},
    record::Record,
    relay::Relay,
    trial::Trial,
};

/// One call's way along its chain.
pub(crate) struct Walk<'a> {
    circuits: &'a Circuits,
    chain: &'a Arc<Chain>,
    call: &'a Call,
    record: Record,
    deadline: Instant,
    /// What became of each model that may be tried, in the chain's order.
    stations: Vec<Station>,
    /// The model that was called last.
    last_called: Option<usize>,
}

/// What became of one model.
#[derive(Default)]
struct Station {
    /// Calls made to it.
    calls: u32,
    /// Why it did not answer, as far as is known.
    why: Option<Why>,
    /// It is not called again for this call.
    done: bool,
}

/// How the walk ends.
enum Ending {
    /// A model's answer, in one piece.
    Whole { at: usize, answer: WholeAnswer, outcome: &'static str },
    /// A model's stream, which has begun to speak.
    Stream { at: usize, held: Vec<Bytes>, stream: Box<EventStream>, trial: Trial },
    /// No answer.
    Error(CallError),
}

/// What follows from an attempt that brought no answer.
enum Then {
    /// The same model again, after a pause; `rest`: the provider asked for it.
    Again {
        pause: Duration,
        rest: bool,
    },
    NextModel,
    End(Ending),
}

impl<'a> Walk<'a> {
    /// Stands before the first model.
    pub(crate) fn new(circuits: &'a Circuits, chain: &'a Arc<Chain>, call: &'a Call, record: Record) -> Self {
        let models = if call.fallback { chain.steps.len() } else { 1 };
        let stations = iter::repeat_with(Station::default).take(models).collect();
        let deadline = record.began() + chain.timeouts.total;
        Self { circuits, chain, call, record, deadline, stations, last_called: None }
    }

    /// Walks until there is an answer, or nothing left to try.
    pub(crate) async fn run(mut self) -> Result<Reply, CallError> {
        self.pass_by_what_cannot_answer();
        let ending = self.walk().await;
        self.conclude(ending)
    }

    /// Passes by models of another dialect, and the one that a drill takes to have failed.
    fn pass_by_what_cannot_answer(&mut self) {
        let mut drill = self.call.drill;
        let dialect = self.call.request.endpoint().dialect();
        for (step, station) in self.chain.steps.iter().zip(&mut self.stations) {
            if step.provider.dialect() != Some(dialect) {
                tracing::debug!(request = self.call.id, model = %step.key, "passed by: speaks another dialect");
                station.give_up(Why::OtherDialect);
            } else if let Some(drill) = drill.take() {
                station.give_up(Why::Drill(drill.status()));
            }
        }
    }

    async fn walk(&mut self) -> Ending {
        let mut patience = Patience::new(self.chain.retry.max_wait, self.deadline);
        loop {
            for at in 0..self.stations.len() {
                if let Some(ending) = self.visit(at).await {
                    return ending;
                }
            }
            let steps = self.chain.steps.iter().zip(&self.stations);
            let refusals = steps.filter_map(|(step, station)| Some((&step.key, station.refusal()?)));
            if !patience.wait_for_one_of(refusals, self.circuits).await {
                return self.give_up();
            }
        }
    }

    /// Calls one model as often as its circuit, its answers and `retry` allow; `None`: the next one's turn.
    async fn visit(&mut self, at: usize) -> Option<Ending> {
        let key = &self.chain.steps[at].key;
        let mut rest_ends = None;
        while !self.stations[at].done {
            let permit = match self.circuits.admit(key).await {
                Ok(permit) => permit,
                Err(refusal) => {
                    if let Some(rest) = patience::rest_of_rest(&refusal, rest_ends) {
                        sleep(rest).await;
                        continue;
                    }
                    tracing::debug!(request = self.call.id, model = %key, why = %refusal, "passed by");
                    self.stations[at].why = Some(Why::Open(refusal));
                    return None;
                }
            };
            match self.attempt(at, permit).await {
                Then::Again { pause, rest } => {
                    rest_ends = rest.then(|| Instant::now() + pause);
                    sleep(pause).await;
                }
                Then::NextModel => return None,
                Then::End(ending) => return Some(ending),
            }
        }
        None
    }

    /// Calls one model once. Its circuit learns how that went.
    async fn attempt(&mut self, at: usize, permit: Permit) -> Then {
        let step = &self.chain.steps[at];
        let began = Instant::now();
        self.stations[at].calls += 1;
        self.record.attempts += 1;
        self.last_called = Some(at);
        let mut trial = Trial::begin(permit, self.call.request.stream());
        let body = self.call.request.with_model(step.key.model());
        let call = self.call.to_provider(&body, &self.chain.timeouts);
        let result = timeout_at(self.deadline, open(&step.provider, call, &mut trial)).await;
        let ms = began.elapsed().as_secs_f64() * 1000.0;
        match result {
            Ok(Ok(opened)) => {
                tracing::debug!(request = self.call.id, model = %step.key, ms, "attempt: answered");
                Then::End(answered(at, opened, trial))
            }
            Ok(Err(fault)) => {
                tracing::debug!(request = self.call.id, model = %step.key, ms, %fault, "attempt: failed");
                trial.end(|permit| settle(permit, &fault, self.chain));
                self.after(at, fault)
            }
            Err(_) => {
                tracing::debug!(request = self.call.id, model = %step.key, ms, "attempt: timeouts.total ran out");
                // A model that got only what others had left of `total` is not to blame for its end.
                if began.elapsed() >= self.chain.timeouts.total / 2 {
                    trial.end(|permit| permit.failed(Failure::of(FailureKind::Timeout)));
                }
                Then::End(Ending::Error(self.out_of_time()))
            }
        }
    }

    /// What follows from a fault.
    fn after(&mut self, at: usize, fault: Fault) -> Then {
        let retry = &self.chain.retry;
        let station = &mut self.stations[at];
        let again = match sequel(&fault, self.chain) {
            Sequel::Return => return Then::End(self.returned(at, fault)),
            Sequel::NextModel => None,
            Sequel::SameModel => Some((backoff(retry, station.calls), false)),
            Sequel::AfterRest(wait) => Some((wait, true)).filter(|_| wait <= retry.max_wait),
        };
        match again {
            Some((pause, rest))
                if station.calls < retry.attempts && Instant::now() + pause < self.deadline =>
            {
                station.why = Some(Why::Failed(Box::new(fault)));
                Then::Again { pause, rest }
            }
            _ => {
                station.give_up(Why::Failed(Box::new(fault)));
                Then::NextModel
            }
        }
    }

    /// A fault that no other model is to hide.
    fn returned(&mut self, at: usize, fault: Fault) -> Ending {
        match (fault.blame, fault.answer) {
            (Blame::Auth, _) => Ending::Error(CallError::ProviderAuth {
                key: self.chain.steps[at].key.clone(),
                status: fault.status.unwrap_or(401),
            }),
            (_, Some(answer)) => Ending::Whole { at, answer: *answer, outcome: "refused_by_provider" },
            (_, None) => {
                self.stations[at].give_up(Why::Failed(Box::new(Fault { answer: None, ..fault })));
                Ending::Error(self.exhausted())
            }
        }
    }

    /// Nothing is left to try.
    fn give_up(&mut self) -> Ending {
        let last = self.last_called.and_then(|at| Some((at, self.stations[at].fault()?.clone())));
        if let Some((at, fault)) = last
            && matches!(fault.blame, Blame::Auth | Blame::ContextTooLong)
        {
            return self.returned(at, fault);
        }
        let asked = Arc::clone(&self.chain.name);
        let whys = || self.stations.iter().filter_map(|station| station.why.as_ref());
        Ending::Error(if whys().all(|why| matches!(why, Why::OtherDialect)) {
            CallError::OtherDialect { asked, path: self.call.request.endpoint() }
        } else if whys().any(|why| matches!(why, Why::Failed(_) | Why::Drill(_))) {
            self.exhausted()
        } else {
            CallError::CircuitOpen { asked, passed: self.passed() }
        })
    }

    fn exhausted(&self) -> CallError {
        CallError::AttemptsExhausted { asked: Arc::clone(&self.chain.name), passed: self.passed() }
    }

    fn out_of_time(&self) -> CallError {
        CallError::OutOfTime {
            asked: Arc::clone(&self.chain.name),
            limit: self.chain.timeouts.total,
            passed: self.passed(),
        }
    }

    fn passed(&self) -> Vec<Passed> {
        let passed = self.chain.steps.iter().zip(&self.stations);
        passed
            .filter_map(|(step, station)| Some(Passed { key: step.key.clone(), why: station.why.clone()? }))
            .collect()
    }

    /// Makes the reply, and sees to the log's line.
    fn conclude(self, ending: Ending) -> Result<Reply, CallError> {
        let Self { chain, call, mut record, .. } = self;
        let attempts = record.attempts;
        let mut answered_by = |at: usize| {
            let key = chain.steps[at].key.clone();
            record.answered_by = Some(key.clone());
            key
        };
        match ending {
            Ending::Error(error) => {
                record.end(error.code());
                Err(error)
            }
            Ending::Whole { at, answer, outcome } => {
                let answered_by = answered_by(at);
                record.usage = answer.usage;
                record.end(outcome);
                Ok(Reply { answered_by, attempts, body: Body::Whole(answer) })
            }
            Ending::Stream { at, held, stream, trial } => {
                let answered_by = answered_by(at);
                let headers = stream.headers().clone();
                let dialect = call.request.endpoint().dialect();
                let relay = Relay {
                    held: held.into(),
                    following: None,
                    stream,
                    dialect,
                    chain: Arc::clone(chain),
                    trial,
                    record,
                };
                Ok(Reply {
                    answered_by,
                    attempts,
                    body: Body::Stream { headers, events: relay.into_events() },
                })
            }
        }
    }
}

/// A model has answered. A stream's permit goes on to the stream's end.
fn answered(at: usize, opened: Opened, trial: Trial) -> Ending {
    match opened {
        Opened::Stream { held, stream } => Ending::Stream { at, held, stream, trial },
        Opened::Whole(answer) => {
            trial.end(Permit::succeeded);
            Ending::Whole { at, answer, outcome: "answered" }
        }
    }
}

impl Station {
    fn give_up(&mut self, why: Why) {
        self.why = Some(why);
        self.done = true;
    }

    fn fault(&self) -> Option<&Fault> {
        match &self.why {
            Some(Why::Failed(fault)) => Some(fault),
            _ => None,
        }
    }

    fn refusal(&self) -> Option<&circuits::Refusal> {
        match &self.why {
            Some(Why::Open(refusal)) => Some(refusal),
            _ => None,
        }
    }
}
