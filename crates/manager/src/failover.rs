//! The loop over the chain (C1 to C4).
//!
//! The models are called in order. When one is skipped (another API format, an open circuit) or fails, the next one is
//! called. `outcome` decides what follows from an error: the same model again, the next one, or back to the caller. With
//! `hedge_after`, a model without a first token after that time is joined by the next one, and the first token wins. At the
//! end of the chain, the loop waits for a circuit that admits calls again soon, and starts over.
//!
//! Attempts only call and return the result; all decisions are made here, in one place.

use std::{
    future::Future,
    iter,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use dialects::StoredReference;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use http::{HeaderName, HeaderValue};
use providers::ProviderError;
use tokio::time::{Instant, sleep_until};

use crate::{
    CallError, ChainEntry, SkipReason, SkippedModel, StreamMode,
    attempt::{AttemptOutcome, CallContext, CompletedAttempt, RetryDelay, StartedStream},
    backoff::backoff,
    candidate::Candidate,
    chain_order::balanced_order,
    outcome::{
        RetryDecision, classify_retry, is_auth_error, is_missing_endpoint, is_quota_error, is_request_error,
    },
    reply::CallOutcome,
    wait::WaitBudget,
};

/// What the official SDKs obey before they look at the status.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The loop over the chain of one call.
pub(crate) struct FailoverLoop<'a> {
    context: &'a CallContext<'a>,
    /// The models that may be called, in the chain's order.
    candidates: Vec<Candidate>,
    /// The order in which they are called, where the chain has equals; `None`: the chain's.
    order: Option<Vec<usize>>,
    /// The second attempt at a model that an equal is called instead of, should no equal be callable.
    put_off: Option<(usize, RetryDelay)>,
    /// The attempt to start next.
    starting: Option<(usize, Option<RetryDelay>)>,
    /// Attempts in flight next to others, and streams that are buffered; `None`: there were none yet, as in most calls.
    in_flight: Option<FuturesUnordered<AttemptFuture<'a>>>,
    /// When the next model is called as well.
    hedge_at: Option<Instant>,
    /// The model that was called last.
    last_started: Option<usize>,
}

type AttemptFuture<'a> = Pin<Box<dyn Future<Output = CompletedAttempt> + Send + 'a>>;

impl<'a> FailoverLoop<'a> {
    /// Starts before the first model.
    pub(crate) fn new(context: &'a CallContext<'a>) -> Self {
        let chain = context.chain;
        let models = if context.call.fallback { chain.entries.len() } else { chain.first_group().len() };
        let order = (!chain.equals.is_empty()).then(|| balanced_order(context, models));
        Self {
            context,
            candidates: iter::repeat_with(Candidate::default).take(models).collect(),
            order,
            put_off: None,
            starting: None,
            in_flight: None,
            hedge_at: None,
            last_started: None,
        }
    }

    /// Runs until there is a response, or no model is left. Also returns the models that were skipped or failed. Attempts that
    /// are still in flight are cancelled.
    pub(crate) async fn run(&mut self) -> (CallOutcome, Vec<SkippedModel>) {
        self.skip_ineligible();
        let outcome = {
            let trying = pin!(self.try_candidates());
            trying.await
        };
        (outcome, self.skipped())
    }

    /// Skips models with another API format, and the one with an injected fault.
    fn skip_ineligible(&mut self) {
        let CallContext { chain, call, .. } = *self.context;
        let mut fault = call.injected_fault;
        let owner = self.owner_of_stored();
        for position in 0..self.candidates.len() {
            let index = self.at(position);
            let (entry, candidate) = (&chain.entries[index], &mut self.candidates[index]);
            if let Some(owner) = &owner
                && owner.as_deref() != Some(entry.key.provider())
            {
                tracing::debug!(request = &*call.id, model = %entry.key, "model skipped: another account stored the response");
                candidate.exhaust(SkipReason::NotOwner);
            } else if let Some(fault) = fault.take() {
                let reason = SkipReason::Injected(fault.status());
                self.context.failures.add(&entry.key, &reason);
                candidate.exhaust(reason);
            }
        }
    }

    /// The provider that has stored what the request refers to: the one that gave the id, or the route's first one that
    /// stores responses at all (T8). `None`: the request refers to nothing; `Some(None)`: no provider stores responses.
    fn owner_of_stored(&self) -> Option<Option<Box<str>>> {
        let CallContext { chain, call, stored, .. } = *self.context;
        let reference = call.request.stored_reference()?;
        let dialect = call.request.endpoint().dialect();
        let known = reference.id().and_then(|id| stored.owner(id));
        let storing = |entry: &&ChainEntry| entry.provider.dialects().contains(&dialect);
        let first = || chain.entries.iter().find(storing).map(|entry| entry.key.provider().into());
        match known.or_else(first) {
            // Nobody was asked for a response by its id: a translation refuses the field by its name, which says more.
            None if !is_response(reference) => None,
            owner => Some(owner),
        }
    }

    async fn try_candidates(&mut self) -> CallOutcome {
        let mut wait_budget =
            WaitBudget::new(self.context.chain.retry.max_retry_after, self.context.deadline);
        loop {
            self.start_next();
            loop {
                let event = {
                    let next = pin!(self.next_event());
                    next.await
                };
                match event {
                    None => break,
                    Some(LoopEvent::HedgeTimer) => self.start_next(),
                    Some(LoopEvent::AttemptDone(attempt)) => {
                        if let Some(outcome) = self.on_attempt_done(attempt) {
                            return outcome;
                        }
                    }
                }
            }
            if Instant::now() >= self.context.deadline {
                return CallOutcome::error(self.deadline_exceeded());
            }
            let candidates = self.context.chain.entries.iter().zip(&self.candidates);
            let refusals =
                candidates.filter_map(|(entry, candidate)| Some((&entry.key, candidate.refusal()?)));
            if !wait_budget.wait_for_any(refusals, self.context.circuits).await {
                return self.no_candidate_left();
            }
            self.candidates.iter_mut().for_each(Candidate::reset_for_retry);
        }
    }

    /// Calls the next pending model of the chain, if there is one and time is left.
    fn start_next(&mut self) {
        self.hedge_at = None;
        let mut indexes = (0..self.candidates.len()).map(|position| self.at(position));
        let next = indexes.find(|&index| self.candidates[index].is_pending());
        // The first model is called as soon as there is a deadline.
        let in_time = || self.last_started.is_none() || Instant::now() < self.context.deadline;
        if let Some(index) = next.filter(|_| in_time()) {
            self.candidates[index].start();
            self.last_started = Some(index);
            self.run_attempt(index, None);
        }
    }

    /// The model that is called at this position.
    fn at(&self, position: usize) -> usize {
        self.order.as_ref().map_or(position, |order| order[position])
    }

    /// Whether an equal of this model was not called yet: it is a better second attempt than the same model after a delay.
    fn has_pending_equal(&self, index: usize) -> bool {
        let equals = self.context.chain.equals_of(index);
        equals.is_some_and(|mut equals| {
            equals.any(|equal| self.candidates.get(equal).is_some_and(Candidate::is_pending))
        })
    }

    /// The attempt that was put off for equals of which this was the last, and could not be called either.
    fn take_put_off(&mut self, index: usize) -> Option<(usize, RetryDelay)> {
        if self.has_pending_equal(index) {
            return None;
        }
        let equals = self.context.chain.equals_of(index)?;
        self.put_off.take_if(|(other, _)| equals.contains(other))
    }

    fn run_attempt(&mut self, index: usize, delay: Option<RetryDelay>) {
        if let (None, Some(hedge_after)) = (self.hedge_at, self.context.chain.hedge_after) {
            let starts_at = Instant::now() + delay.map_or(Duration::ZERO, |delay| delay.duration);
            self.hedge_at = Some(starts_at + hedge_after);
        }
        self.starting = Some((index, delay));
    }

    /// The next event; `None`: nothing is in flight.
    async fn next_event(&mut self) -> Option<LoopEvent> {
        if let Some((index, delay)) = self.starting.take() {
            if self.has_none_in_flight() && self.hedge_at.is_none() {
                // Nothing can happen beside it, as in nearly every call. So it needs no memory of its own.
                let attempt = pin!(self.context.attempt(index, delay));
                return Some(LoopEvent::AttemptDone(attempt.await));
            }
            self.in_flight.get_or_insert_default().push(Box::pin(self.context.attempt(index, delay)));
        }
        let in_flight = self.in_flight.as_mut().filter(|in_flight| !in_flight.is_empty())?;
        let hedge_at = self.hedge_at;
        let hedge_timer = async {
            match hedge_at {
                Some(hedge_at) => sleep_until(hedge_at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            attempt = in_flight.next() => attempt.map(LoopEvent::AttemptDone),
            () = hedge_timer => Some(LoopEvent::HedgeTimer),
        }
    }

    fn has_none_in_flight(&self) -> bool {
        self.in_flight.as_ref().is_none_or(FuturesUnordered::is_empty)
    }

    /// Handles the end of an attempt; returns the result of the loop, if that ends it.
    fn on_attempt_done(&mut self, attempt: CompletedAttempt) -> Option<CallOutcome> {
        let CompletedAttempt { index, outcome } = attempt;
        let was_called = !matches!(outcome, AttemptOutcome::NotPermitted(_) | AttemptOutcome::Ineligible(_));
        if was_called {
            self.put_off = None;
        }
        match outcome {
            AttemptOutcome::NotPermitted(refusal) => self.candidates[index].mark_not_permitted(refusal),
            AttemptOutcome::Ineligible(reason) => self.candidates[index].exhaust(reason),
            AttemptOutcome::Response(response, translated) => {
                return Some(CallOutcome::Response { index, response, translated });
            }
            AttemptOutcome::StreamStarted(started) if self.context.chain.stream == StreamMode::Buffer => {
                self.buffer(index, started);
            }
            AttemptOutcome::StreamStarted(started) | AttemptOutcome::BufferLimitExceeded(started) => {
                return Some(CallOutcome::Stream { index, started });
            }
            AttemptOutcome::Buffered(started) => return Some(CallOutcome::Buffered { index, started }),
            AttemptOutcome::DeadlineExceeded => return Some(CallOutcome::error(self.deadline_exceeded())),
            AttemptOutcome::Failed(error, translated) => {
                self.candidates[index].translated = translated;
                match self.on_failure(index, error) {
                    NextAction::RetrySame(delay) => self.run_attempt(index, Some(delay)),
                    NextAction::TryNext => {}
                    NextAction::Return(outcome) => return Some(outcome),
                }
            }
        }
        if !was_called && let Some((index, delay)) = self.take_put_off(index) {
            self.candidates[index].start();
            self.last_started = Some(index);
            self.run_attempt(index, Some(delay));
            return None;
        }
        // A hedge in flight already is the next model, unless it is the hedge that failed.
        let failed = !self.candidates[index].is_in_flight();
        let nothing_in_flight = self.has_none_in_flight() && self.starting.is_none();
        if nothing_in_flight || failed && self.last_started == Some(index) {
            self.start_next();
        }
        None
    }

    /// Reads a stream to its end before the caller gets any of it. It was first, so the others are cancelled.
    fn buffer(&mut self, index: usize, started: Box<StartedStream>) {
        self.in_flight = None;
        self.hedge_at = None;
        for (other, candidate) in self.candidates.iter_mut().enumerate() {
            if other != index {
                candidate.cancel();
            }
        }
        self.in_flight.get_or_insert_default().push(Box::pin(self.context.buffer(index, started)));
    }

    /// What to do after an error.
    #[cold]
    fn on_failure(&mut self, index: usize, error: Box<ProviderError>) -> NextAction {
        self.context.failures.add(&self.context.chain.entries[index].key, &*error);
        let retry = &self.context.chain.retry;
        let has_pending_equal = self.has_pending_equal(index);
        let candidate = &mut self.candidates[index];
        candidate.failures += 1;
        let delay = match classify_retry(&error, self.context.chain) {
            RetryDecision::ReturnToCaller => {
                return NextAction::Return(self.return_to_caller(index, error));
            }
            RetryDecision::TryNext => None,
            RetryDecision::RetrySame(retry_after) => {
                let duration = backoff(retry, candidate.failures).max(retry_after);
                Some(RetryDelay { duration, is_cooldown: false })
                    .filter(|_| retry_after <= retry.max_retry_after)
            }
            RetryDecision::RetryAfterCooldown(duration) => {
                Some(RetryDelay { duration, is_cooldown: true }).filter(|_| duration <= retry.max_retry_after)
            }
        };
        let in_time = |delay: &RetryDelay| Instant::now() + delay.duration < self.context.deadline;
        let may_retry = candidate.failures < retry.max_attempts;
        match delay.filter(|_| may_retry).filter(in_time) {
            Some(delay) if has_pending_equal => {
                self.put_off = Some((index, delay));
                candidate.exhaust(SkipReason::Failed(error));
                NextAction::TryNext
            }
            Some(delay) => {
                candidate.skip_reason = Some(SkipReason::Failed(error));
                NextAction::RetrySame(delay)
            }
            None => {
                candidate.exhaust(SkipReason::Failed(error));
                NextAction::TryNext
            }
        }
    }

    /// An error that the caller gets although other models may be left.
    fn return_to_caller(&mut self, index: usize, error: Box<ProviderError>) -> CallOutcome {
        if is_auth_error(&error) {
            return self.rejected_key(index, &error);
        }
        // A mistake of the caller's own only if every model that was asked says so (C4): this one may well see it because it is
        // only a fallback, and the one before may be back soon.
        let all_see_it = self.errors().all(|(other, error)| other == index || is_request_error(error));
        let simulated = self.candidates.iter().any(Candidate::has_simulated_failure);
        let is_quota_error = is_quota_error(&error);
        match error.response {
            Some(mut response) if all_see_it && !simulated => {
                if is_quota_error {
                    // C9: coming again cannot help, and SDKs would, after a 429.
                    response.headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
                }
                let translated = self.candidates[index].translated.take();
                CallOutcome::Rejected { index, response, translated }
            }
            _ => {
                self.candidates[index].exhaust(SkipReason::Failed(error));
                CallOutcome::error(self.attempts_exhausted())
            }
        }
    }

    fn rejected_key(&self, index: usize, error: &ProviderError) -> CallOutcome {
        CallOutcome::error(CallError::ProviderAuth {
            key: self.context.chain.entries[index].key.clone(),
            status: error.status.unwrap_or(401),
            explanation: error.own_explanation(),
            provider_message: error.provider_message(),
        })
    }

    /// The errors of the models that were called.
    fn errors(&self) -> impl Iterator<Item = (usize, &ProviderError)> {
        let candidates = self.candidates.iter().enumerate();
        candidates.filter_map(|(index, candidate)| Some((index, candidate.error()?)))
    }

    /// No model is left to call. What the caller is told does not depend on the order of the models (C4).
    fn no_candidate_left(&mut self) -> CallOutcome {
        // Who does not have the endpoint says nothing of those that are only resting.
        if self.candidates.iter().any(|candidate| candidate.refusal().is_some())
            && self.errors().all(|(_, error)| is_missing_endpoint(error))
        {
            let requested = Arc::clone(&self.context.chain.name);
            return CallOutcome::error(CallError::CircuitOpen { requested, skipped: self.skipped() });
        }
        // A simulated failure is none of the caller's, and no key's.
        if !self.candidates.iter().any(Candidate::has_simulated_failure) {
            if let Some((index, error)) = self.mistake_of_caller() {
                return self.return_to_caller(index, Box::new(error));
            }
            if let Some((index, error)) = self.errors().last()
                && self.errors().all(|(_, error)| is_auth_error(error))
            {
                return self.rejected_key(index, error);
            }
        }
        let requested = Arc::clone(&self.context.chain.name);
        let reasons = || self.candidates.iter().filter_map(|candidate| candidate.skip_reason.as_ref());
        let unreadable = reasons().find_map(|reason| match reason {
            SkipReason::UnreadableRequest(error) => Some(error.clone()),
            _ => None,
        });
        let unreadable = unreadable.filter(|_| reasons().all(SkipReason::is_ineligible));
        CallOutcome::error(if let Some(error) = unreadable {
            CallError::InvalidRequest(error)
        } else if reasons().all(|reason| matches!(reason, SkipReason::NotOwner)) {
            CallError::PreviousResponseNotFound { requested }
        } else if reasons().all(|reason| matches!(reason, SkipReason::UnsupportedApi)) {
            let path = self.context.call.request.endpoint();
            CallError::UnsupportedApi { requested, path, skipped: self.skipped() }
        } else if reasons().all(SkipReason::is_ineligible) {
            CallError::CannotCarry { requested, skipped: self.skipped() }
        } else if let Some(resource) = reasons().find_map(SkipReason::missing_resource) {
            CallError::Overloaded { requested, resource, skipped: self.skipped() }
        } else if reasons().any(|reason| matches!(reason, SkipReason::Failed(_) | SkipReason::Injected(_))) {
            self.attempts_exhausted()
        } else {
            CallError::CircuitOpen { requested, skipped: self.skipped() }
        })
    }

    /// The caller's own mistake, if every model that was called sees one: of several the one with the lowest status.
    fn mistake_of_caller(&self) -> Option<(usize, ProviderError)> {
        if !self.errors().all(|(_, error)| is_request_error(error)) {
            return None;
        }
        let (index, error) = self.errors().max_by_key(|(_, error)| std::cmp::Reverse(error.status))?;
        Some((index, error.clone()))
    }

    fn attempts_exhausted(&self) -> CallError {
        let reported = self
            .errors()
            .max_by_key(|(index, _)| self.candidates[*index].skip_reason.as_ref().and_then(SkipReason::end));
        CallError::AttemptsExhausted {
            requested: Arc::clone(&self.context.chain.name),
            skipped: self.skipped(),
            provider_message: reported.and_then(|(_, error)| error.provider_message()),
        }
    }

    fn deadline_exceeded(&self) -> CallError {
        CallError::DeadlineExceeded {
            requested: Arc::clone(&self.context.chain.name),
            limit: self.context.limit.duration,
            source_of_limit: self.context.limit.source,
            skipped: self.skipped(),
        }
    }

    fn skipped(&self) -> Vec<SkippedModel> {
        let candidates = self.context.chain.entries.iter().zip(&self.candidates);
        candidates
            .filter_map(|(entry, candidate)| {
                let reason = candidate.skip_reason.clone()?;
                let failing_for = self.context.circuits.failing_for(&entry.key);
                Some(SkippedModel { key: entry.key.clone(), reason, failing_for })
            })
            .collect()
    }
}

/// Whether a request goes on from a response, or from what belongs to one.
const fn is_response(reference: &StoredReference) -> bool {
    matches!(
        reference,
        StoredReference::Response(_) | StoredReference::Conversation(_) | StoredReference::Item(_)
    )
}

/// An event of the loop.
enum LoopEvent {
    /// An attempt has ended.
    AttemptDone(CompletedAttempt),
    /// No model had a first token within `hedge_after`.
    HedgeTimer,
}

/// What to do after an attempt without a response.
enum NextAction {
    /// Call the same model again, after a delay.
    RetrySame(RetryDelay),
    TryNext,
    Return(CallOutcome),
}
