//! The loop over the chain (C1 to C4).
//!
//! The models are called in their order; each one that is passed by (another dialect, an open circuit) or that fails
//! makes room for the next. What a fault leads to (the same model again, the next one, or back to the caller) is said in
//! `blame`. With `hedge_after`, a model that stays silent so long gets the next one beside it, and the first to speak
//! wins. At the chain's end, the walk waits for a circuit that is about to let calls through again, if that is soon,
//! and begins anew.
//!
//! Attempts only call and tell what came; everything is decided here, in one place.

use std::{
    future::Future,
    iter,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use dialects::Origin;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use providers::{Blame, Fault, WholeAnswer};
use tokio::time::{Instant, sleep_until};

use crate::{
    Body, CallError, Passed, Reply, StreamMode, Why,
    attempt::{Came, Errand, Pause, Spoken, Tried},
    backoff::backoff,
    blame::{Sequel, sequel},
    patience::Patience,
    record::Record,
    relay::{self, Relay},
    station::Station,
};

/// One call's way along its chain.
pub(crate) struct Walk<'a> {
    errand: Errand<'a>,
    record: Record,
    /// What became of each model that may be tried, in the chain's order.
    stations: Vec<Station>,
    /// The model that failed last.
    last_failed: Option<usize>,
    /// Calls under way: one, unless models are hedged.
    running: FuturesUnordered<Running<'a>>,
    /// When the next model is started beside those that are silent.
    hedge_at: Option<Instant>,
    /// The model that was started last.
    newest: Option<usize>,
}

type Running<'a> = Pin<Box<dyn Future<Output = Tried> + Send + 'a>>;

/// How the walk ends.
enum Ending {
    /// A model's answer, in one piece.
    Whole { at: usize, answer: WholeAnswer },
    /// A provider's word that the request is wrong.
    Refused { at: usize, answer: WholeAnswer },
    /// A model's stream, which has begun to speak.
    Stream { at: usize, spoken: Spoken },
    /// A held stream, whole.
    Held { at: usize, spoken: Spoken },
    /// No answer.
    Error(CallError),
}

impl<'a> Walk<'a> {
    /// Stands before the first model.
    pub(crate) fn new(errand: Errand<'a>, record: Record) -> Self {
        let models = if errand.call.fallback { errand.chain.steps.len() } else { 1 };
        Self {
            errand,
            record,
            stations: iter::repeat_with(Station::default).take(models).collect(),
            last_failed: None,
            running: FuturesUnordered::new(),
            hedge_at: None,
            newest: None,
        }
    }

    /// Walks until there is an answer, or nothing left to try.
    pub(crate) async fn run(mut self) -> Result<Reply, CallError> {
        self.pass_by_what_cannot_answer();
        let ending = self.walk().await;
        self.conclude(ending)
    }

    /// Passes by models of another dialect, and the one that a drill takes to have failed.
    fn pass_by_what_cannot_answer(&mut self) {
        let Errand { chain, call, .. } = self.errand;
        let mut drill = call.drill;
        let dialect = call.request.endpoint().dialect();
        for (step, station) in chain.steps.iter().zip(&mut self.stations) {
            if step.provider.dialect() != Some(dialect) {
                tracing::debug!(request = call.id, model = %step.key, "passed by: speaks another dialect");
                station.give_up(Why::OtherDialect);
            } else if let Some(drill) = drill.take() {
                station.give_up(Why::Drill(drill.status()));
            }
        }
    }

    async fn walk(&mut self) -> Ending {
        let mut patience = Patience::new(self.errand.chain.retry.max_retry_after, self.errand.deadline);
        loop {
            self.start_next();
            while let Some(happened) = self.happens().await {
                match happened {
                    Happened::Silence => self.start_next(),
                    Happened::Tried(tried) => {
                        if let Some(ending) = self.take(tried) {
                            return ending;
                        }
                    }
                }
            }
            if Instant::now() >= self.errand.deadline {
                return Ending::Error(self.deadline_exceeded());
            }
            let steps = self.errand.chain.steps.iter().zip(&self.stations);
            let refusals = steps.filter_map(|(step, station)| Some((&step.key, station.refusal()?)));
            if !patience.wait_for_one_of(refusals, self.errand.circuits).await {
                return self.give_up();
            }
            self.stations.iter_mut().for_each(Station::next_round);
        }
    }

    /// Starts the next model of the chain whose turn has not come yet, if there is one and time is left.
    fn start_next(&mut self) {
        self.hedge_at = None;
        let next = self.stations.iter().position(Station::waits);
        if let Some(at) = next.filter(|_| Instant::now() < self.errand.deadline) {
            self.stations[at].begin();
            self.newest = Some(at);
            self.run_attempt(at, None);
        }
    }

    fn run_attempt(&mut self, at: usize, pause: Option<Pause>) {
        if self.hedge_at.is_none() {
            let begins = Instant::now() + pause.map_or(Duration::ZERO, |pause| pause.length);
            self.hedge_at = self.errand.chain.hedge_after.map(|patience| begins + patience);
        }
        self.running.push(Box::pin(self.errand.attempt(at, pause)));
    }

    /// What happens next; `None`: nothing is under way.
    async fn happens(&mut self) -> Option<Happened> {
        let hedge_at = self.hedge_at.filter(|_| !self.running.is_empty());
        let silence = async {
            match hedge_at {
                Some(hedge_at) => sleep_until(hedge_at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            tried = self.running.next() => tried.map(Happened::Tried),
            () = silence => Some(Happened::Silence),
        }
    }

    /// Takes up what came of an attempt; the walk's ending, if that was it.
    fn take(&mut self, tried: Tried) -> Option<Ending> {
        let Tried { at, came } = tried;
        match came {
            Came::Refused(refusal) => self.stations[at].refused(refusal),
            Came::Whole(answer) => return Some(Ending::Whole { at, answer }),
            Came::Opened(spoken) if self.errand.chain.stream == StreamMode::Hold => self.hold(at, spoken),
            Came::Opened(spoken) | Came::TooLarge(spoken) => return Some(Ending::Stream { at, spoken }),
            Came::Held(spoken) => return Some(Ending::Held { at, spoken }),
            Came::OutOfTime => return Some(Ending::Error(self.deadline_exceeded())),
            Came::Failed(fault) => match self.after(at, fault) {
                Then::Again(pause) => self.run_attempt(at, Some(pause)),
                Then::NextModel => {}
                Then::End(ending) => return Some(*ending),
            },
        }
        // A hedge that is under way is the next model already, unless it is the hedge that did not answer.
        let failed = !self.stations[at].is_being_called();
        if self.running.is_empty() || failed && self.newest == Some(at) {
            self.start_next();
        }
        None
    }

    /// Reads a stream to its end, out of the caller's sight. It spoke first, so the others are stopped.
    fn hold(&mut self, at: usize, spoken: Spoken) {
        self.running.clear();
        self.hedge_at = None;
        for (other, station) in self.stations.iter_mut().enumerate() {
            if other != at {
                station.stopped();
            }
        }
        self.running.push(Box::pin(self.errand.hold(at, spoken)));
    }

    /// What follows from a fault.
    fn after(&mut self, at: usize, fault: Fault) -> Then {
        let retry = &self.errand.chain.retry;
        self.last_failed = Some(at);
        let station = &mut self.stations[at];
        station.failures += 1;
        let pause = match sequel(&fault, self.errand.chain) {
            Sequel::Return => return Then::End(Box::new(self.returned(at, fault))),
            Sequel::NextModel => None,
            Sequel::SameModel(asked) => {
                let length = backoff(retry, station.failures).max(asked);
                Some(Pause { length, rest: false }).filter(|_| asked <= retry.max_retry_after)
            }
            Sequel::AfterRest(length) => {
                Some(Pause { length, rest: true }).filter(|_| length <= retry.max_retry_after)
            }
        };
        let in_time = |pause: &Pause| Instant::now() + pause.length < self.errand.deadline;
        match pause.filter(|_| station.failures < retry.attempts).filter(in_time) {
            Some(pause) => {
                station.why = Some(Why::Failed(Box::new(fault)));
                Then::Again(pause)
            }
            None => {
                station.give_up(Why::Failed(Box::new(fault)));
                Then::NextModel
            }
        }
    }

    /// A fault that no other model is to hide.
    fn returned(&mut self, at: usize, fault: Fault) -> Ending {
        match (fault.blame, fault.answer) {
            (Blame::Auth, _) => Ending::Error(CallError::ProviderAuth {
                key: self.errand.chain.steps[at].key.clone(),
                status: fault.status.unwrap_or(401),
            }),
            (_, Some(answer)) => Ending::Refused { at, answer: *answer },
            (_, None) => {
                self.stations[at].give_up(Why::Failed(Box::new(Fault { answer: None, ..fault })));
                Ending::Error(self.exhausted())
            }
        }
    }

    /// Nothing is left to try.
    fn give_up(&mut self) -> Ending {
        let last = self.last_failed.and_then(|at| Some((at, self.stations[at].fault()?.clone())));
        if let Some((at, fault)) = last
            && matches!(fault.blame, Blame::Auth | Blame::ContextTooLong)
        {
            return self.returned(at, fault);
        }
        let asked = Arc::clone(&self.errand.chain.name);
        let whys = || self.stations.iter().filter_map(|station| station.why.as_ref());
        Ending::Error(if whys().all(|why| matches!(why, Why::OtherDialect)) {
            CallError::OtherDialect { asked, path: self.errand.call.request.endpoint() }
        } else if whys().any(|why| matches!(why, Why::Failed(_) | Why::Drill(_))) {
            self.exhausted()
        } else {
            CallError::CircuitOpen { asked, passed: self.passed() }
        })
    }

    fn exhausted(&self) -> CallError {
        CallError::AttemptsExhausted { asked: Arc::clone(&self.errand.chain.name), passed: self.passed() }
    }

    fn deadline_exceeded(&self) -> CallError {
        CallError::OutOfTime {
            asked: Arc::clone(&self.errand.chain.name),
            limit: self.errand.chain.timeouts.total,
            passed: self.passed(),
        }
    }

    fn passed(&self) -> Vec<Passed> {
        let passed = self.errand.chain.steps.iter().zip(&self.stations);
        passed
            .filter_map(|(step, station)| Some(Passed { key: step.key.clone(), why: station.why.clone()? }))
            .collect()
    }

    /// Makes the reply, and sees to the log's line. Calls that are still under way are stopped by their drop.
    fn conclude(self, ending: Ending) -> Result<Reply, CallError> {
        let Self { errand: Errand { chain, call, attempts, .. }, mut record, .. } = self;
        let attempts = attempts.load(Ordering::Relaxed);
        let mut answered_by = |at: usize, origin: &Origin| {
            let key = chain.steps[at].key.clone();
            record.answered_by(key.clone(), origin);
            key
        };
        match ending {
            Ending::Error(error) => {
                record.end(error.code());
                Err(error)
            }
            Ending::Whole { at, answer } => {
                let answered_by = answered_by(at, &answer.origin);
                record.answered(answer.usage);
                Ok(Reply { answered_by, attempts, body: Body::Whole(answer) })
            }
            Ending::Refused { at, answer } => {
                let answered_by = answered_by(at, &answer.origin);
                record.end("refused_by_provider");
                Ok(Reply { answered_by, attempts, body: Body::Whole(answer) })
            }
            Ending::Held { at, spoken: Spoken { held, stream, trial } } => {
                let answered_by = answered_by(at, stream.origin());
                trial.succeeded(stream.usage());
                record.speaks();
                record.answered(stream.usage());
                let events = relay::all_of(held);
                Ok(Reply {
                    answered_by,
                    attempts,
                    body: Body::Stream { headers: stream.headers().clone(), events },
                })
            }
            Ending::Stream { at, spoken: Spoken { held, stream, mut trial } } => {
                let answered_by = answered_by(at, stream.origin());
                trial.handed_on();
                record.speaks();
                let headers = stream.headers().clone();
                let relay = Relay {
                    held: held.into(),
                    following: None,
                    stream,
                    dialect: call.request.endpoint().dialect(),
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

/// What happens on the way.
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once an attempt; a box would be one more allocation"
)]
enum Happened {
    /// An attempt came to its end.
    Tried(Tried),
    /// Nobody has spoken for `hedge_after`.
    Silence,
}

/// What follows from an attempt that brought no answer.
enum Then {
    /// The same model again, after a pause.
    Again(Pause),
    NextModel,
    End(Box<Ending>),
}
