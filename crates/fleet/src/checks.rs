//! The rules that are checked in every step. They know what the store holds and what callers got, and nothing of how the
//! circuits decided it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use breaker::{
    Document, External, LEASE_GRACE, ModelKey, Phase, Policy, Record, State, Timestamp, Transition,
    TransitionCause,
};
use circuits::{CLOCK_TOLERANCE, Value, WallClock as _, Write};
use tokio::time::Instant;

use crate::{network::WriteObserver, rng::VirtualClock, trace::Trace};

/// A transition takes effect within this time (F1), and a caller is admitted or refused within it (F3). Time advances in
/// whole ms.
pub const MAX_REACTION_TIME: Duration = Duration::from_millis(101);

/// Watches one run.
#[derive(Debug)]
pub struct Checks {
    trace: Trace,
    clock: VirtualClock,
    policy: Policy,
    models: Mutex<BTreeMap<ModelKey, Model>>,
}

/// What is known of one model's circuit.
#[derive(Debug)]
struct Model {
    record: Option<Record>,
    /// The value before an instance last changed the state.
    previous_value: Option<String>,
    /// When its state changed last.
    changed_at: Instant,
    last_epoch: u64,
    /// The state in which the history ends.
    last_history_state: Option<State>,
    probes: Vec<Probe>,
    max_concurrent_probes: usize,
    /// The time of the last manual override, through any instance.
    operator_command_at: Option<Instant>,
    /// Transitions so far, with their epochs.
    transitions: Vec<(Instant, u64)>,
}

/// A probe's call in flight.
#[derive(Debug)]
struct Probe {
    id: u64,
    /// The epoch of its lease. In any other epoch the lease is void, though the call may go on.
    epoch: u64,
    leased_until: Instant,
    is_shared: bool,
}

impl Checks {
    /// Watches circuits with this policy.
    #[must_use]
    pub fn new(trace: &Trace, clock: &VirtualClock, policy: &Policy) -> Self {
        Self { trace: trace.clone(), clock: clock.clone(), policy: policy.clone(), models: Mutex::default() }
    }

    /// The key was written externally, or the store was emptied.
    pub fn on_external_write(&self, key: &ModelKey, value: &Value, history_stands: bool) {
        let mut models = self.models();
        let model = models.entry(key.clone()).or_insert_with(Model::new);
        model.record = self.parse_record(value);
        model.changed_at = Instant::now();
        if !history_stands {
            model.last_history_state = None;
        }
    }

    /// The value before an instance last changed the state.
    #[must_use]
    pub fn previous_value(&self, key: &ModelKey) -> Option<String> {
        self.models().get(key)?.previous_value.clone()
    }

    /// An operator has sent a command to an instance.
    pub fn on_operator_command(&self, key: &ModelKey) {
        self.models().entry(key.clone()).or_insert_with(Model::new).operator_command_at =
            Some(Instant::now());
    }

    /// How long the circuit has been open for all, with its deadline still this far ahead.
    #[must_use]
    pub fn open_duration(&self, key: &ModelKey, ahead: Duration) -> Option<Duration> {
        let models = self.models();
        let model = models.get(key)?;
        let until = match &model.record.as_ref()?.phase {
            Phase::Open(outage) if outage.sole_reporter.is_none() => outage.retry_at,
            Phase::ForcedOpen { until } => until.unwrap_or(Timestamp::MAX),
            _ => return None,
        };
        (self.clock.now() + ahead < until).then(|| model.changed_at.elapsed())
    }

    /// How long the circuit has been closed for all.
    #[must_use]
    pub fn closed_duration(&self, key: &ModelKey) -> Option<Duration> {
        let models = self.models();
        let model = models.get(key)?;
        let record = model.record.as_ref()?;
        is_closed(record, self.clock.now()).then(|| model.changed_at.elapsed())
    }

    /// The first change of state after a moment, and its epoch.
    #[must_use]
    pub fn transition_after(&self, key: &ModelKey, moment: Instant) -> Option<(Instant, u64)> {
        self.models().get(key)?.transitions.iter().find(|(at, _)| *at > moment).copied()
    }

    /// The number of changes of state.
    #[must_use]
    pub fn transition_count(&self, key: &ModelKey) -> usize {
        self.models().get(key).map_or(0, |model| model.transitions.len())
    }

    /// The most concurrent probes at a provider.
    #[must_use]
    pub fn max_concurrent_probes(&self) -> usize {
        self.models().values().map(|model| model.max_concurrent_probes).max().unwrap_or(0)
    }

    /// A probe's call starts. `is_shared`: its lease is in the store, not an instance's own during an outage (B2).
    pub fn on_probe_start(&self, key: &ModelKey, id: u64, epoch: u64, is_shared: bool) {
        let now = Instant::now();
        let mut models = self.models();
        let model = models.entry(key.clone()).or_insert_with(Model::new);
        let rivals = model
            .probes
            .iter()
            .filter(|probe| probe.is_shared && model.is_half_open_in(probe.epoch) && now < probe.leased_until)
            .count();
        let slots = usize::try_from(self.policy.half_open_probes).unwrap_or(usize::MAX);
        if is_shared && model.is_half_open_in(epoch) && rivals >= slots {
            self.trace
                .log_violation("B2", format_args!("{key}: {rivals} probes are in flight, and another began"));
        }
        let leased_until = now + self.policy.probe_lease + LEASE_GRACE - Duration::from_millis(100);
        model.probes.push(Probe { id, epoch, leased_until, is_shared });
        model.max_concurrent_probes = model.max_concurrent_probes.max(model.probes.len());
    }

    /// It has ended, or has its verdict.
    pub fn on_probe_end(&self, key: &ModelKey, id: u64) {
        if let Some(model) = self.models().get_mut(key) {
            model.probes.retain(|probe| probe.id != id);
        }
    }

    fn models(&self) -> MutexGuard<'_, BTreeMap<ModelKey, Model>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parse_record(&self, value: &Value) -> Option<Record> {
        let Value::Text(text) = value else { return None };
        match Document::parse(text, &self.policy) {
            Document::Native(record, _) | Document::External(External { record, .. }, _) => Some(record),
            Document::Invalid => None,
        }
    }

    fn is_external(&self, value: &Value) -> bool {
        matches!(value, Value::Text(text) if matches!(Document::parse(text, &self.policy), Document::External(..)))
    }

    /// One entry per transition, growing epochs, each continuing where the last ended (B11).
    fn check_history(
        &self,
        key: &ModelKey,
        model: &Model,
        write: &Write,
        before: Option<&Record>,
        after: Option<&Record>,
    ) {
        let mut epoch = model.last_epoch;
        // Without a history, an entry continues from the stored state; an external value replaced a closed circuit.
        let stored_before = if self.is_external(&write.expected) {
            Some(State::Closed)
        } else {
            before.map(Record::stored_state)
        };
        let mut state = model.last_history_state.or(stored_before);
        for entry in &write.entries {
            if entry.epoch <= epoch {
                self.trace.log_violation("B11", format_args!("{key}: epoch {} follows {epoch}", entry.epoch));
            }
            if state.is_some_and(|state| state != entry.from) {
                self.trace.log_violation(
                    "B11",
                    format_args!("{key}: an entry continues from {}, not {state:?}", entry.from),
                );
            }
            (epoch, state) = (entry.epoch, Some(entry.to));
        }
        if let (Some(state), Some(after)) = (state, after)
            && state != after.stored_state()
        {
            let now = after.stored_state();
            self.trace.log_violation(
                "B11",
                format_args!("{key}: {now} is written, but the history ends in {state}"),
            );
        }
        // Written over an external value, or one that was brought back, it continues the last epoch (O6).
        let continued = before.map(|before| [before.epoch, model.last_epoch]);
        match (write.entries.last(), after) {
            (Some(entry), Some(after)) if entry.epoch != after.epoch => {
                self.trace.log_violation(
                    "B11",
                    format_args!("{key}: the last entry is not of epoch {}", after.epoch),
                );
            }
            (None, Some(after)) if continued.is_some_and(|epochs| !epochs.contains(&after.epoch)) => {
                self.trace.log_violation("B11", format_args!("{key}: epoch {} has no entry", after.epoch));
            }
            _ => {}
        }
    }

    /// There are no more active leases than slots (B2).
    fn check_leases(&self, key: &ModelKey, after: &Record) {
        let Phase::HalfOpen { leases, .. } = &after.phase else { return };
        let active = leases.iter().filter(|lease| lease.is_active(self.clock.now())).count();
        if u32::try_from(active).is_ok_and(|active| active > self.policy.half_open_probes) {
            self.trace.log_violation("B2", format_args!("{key}: {active} leases are active"));
        }
    }

    /// Only a manual override shortens a deadline (B8) or ends a forced open state (B10).
    fn check_deadlines(
        &self,
        key: &ModelKey,
        operator_command_at: Option<Instant>,
        entries: &[Transition],
        before: &Record,
        after: Option<&Record>,
    ) {
        let now = self.clock.now();
        // An override through a disconnected instance is written as a merge.
        let is_manual = |entry: &Transition| match entry.reason.cause {
            TransitionCause::Manual | TransitionCause::Reset | TransitionCause::External => true,
            TransitionCause::Merged => {
                operator_command_at.is_some_and(|at| at.elapsed() < Duration::from_secs(60))
            }
            _ => false,
        };
        let Some(after) = after else { return };
        if entries.iter().any(is_manual) {
            return;
        }
        match (&before.phase, &after.phase) {
            (Phase::ForcedOpen { .. }, Phase::ForcedOpen { .. }) => {}
            (Phase::ForcedOpen { until }, phase)
                if until.is_none_or(|until| now + CLOCK_TOLERANCE < until) =>
            {
                self.trace.log_violation("B10", format_args!("{key}: a forced circuit became {phase:?}"));
            }
            (Phase::Open(before) | Phase::HalfOpen { outage: before, .. }, Phase::Open(after))
                if after.retry_at < before.retry_at =>
            {
                let (from, to) = (before.retry_at, after.retry_at);
                self.trace.log_violation("B8", format_args!("{key}: the deadline went from {from} to {to}"));
            }
            _ => {}
        }
    }
}

impl WriteObserver for Checks {
    fn on_write(&self, by: usize, key: &ModelKey, write: &Write) {
        let (before, after) = (
            self.parse_record(&write.expected),
            write.new_value.clone().and_then(|text| self.parse_record(&Value::Text(text))),
        );
        let state = after.as_ref().map_or("absent", |record| record.stored_state().as_str());
        let (epoch, failures) =
            after.as_ref().map_or((0, 0), |record| (record.epoch, record.consecutive_failures.count));
        let causes: Vec<_> = write.entries.iter().map(|entry| entry.reason.summary()).collect();
        self.trace
            .log(format_args!("{by:>4} writes {key} {state} failures={failures} epoch={epoch} {causes:?}"));
        let mut models = self.models();
        let model = models.entry(key.clone()).or_insert_with(Model::new);
        self.check_history(key, model, write, before.as_ref(), after.as_ref());
        if let Some(before) = &before {
            self.check_deadlines(key, model.operator_command_at, &write.entries, before, after.as_ref());
        }
        if let Some(after) = &after {
            self.check_leases(key, after);
        }
        if write.ttl.is_some_and(|lifetime| {
            let retry = after.as_ref().and_then(Record::retry_at).unwrap_or(Timestamp::NEVER);
            self.clock.now() + lifetime < retry
        }) {
            self.trace.log_violation("B8", format_args!("{key}: the key expires before its deadline"));
        }
        if let (Value::Text(text), false) = (&write.expected, write.entries.is_empty()) {
            model.previous_value = std::str::from_utf8(text).ok().map(str::to_owned);
        }
        for entry in &write.entries {
            model.transitions.push((Instant::now(), entry.epoch));
            model.last_epoch = model.last_epoch.max(entry.epoch);
            model.last_history_state = Some(entry.to);
        }
        if let Some(after) = &after {
            model.last_epoch = model.last_epoch.max(after.epoch);
        }
        if !write.entries.is_empty() || before.is_none() || after.is_none() {
            model.changed_at = Instant::now();
        }
        // An instance that cannot connect is blocked without a change of state.
        let blocks = |record: &Option<Record>| {
            record
                .as_ref()
                .map(|record| record.blocked_instances.iter().map(|block| block.until).collect::<Vec<_>>())
        };
        if blocks(&model.record) != blocks(&after) {
            model.changed_at = Instant::now();
        }
        model.record = after;
    }
}

/// Whether a circuit is closed, for every instance, by whichever clock the store tolerates.
#[must_use]
pub fn is_closed(record: &Record, now: Timestamp) -> bool {
    matches!(record.phase, Phase::Closed)
        && record.blocked_instances.iter().all(|block| block.until + CLOCK_TOLERANCE <= now)
}

impl Model {
    /// Whether the store holds a half-open circuit of this epoch, so that its leases are valid.
    fn is_half_open_in(&self, epoch: u64) -> bool {
        self.record
            .as_ref()
            .is_some_and(|record| record.epoch == epoch && matches!(record.phase, Phase::HalfOpen { .. }))
    }

    fn new() -> Self {
        Self {
            record: None,
            previous_value: None,
            changed_at: Instant::now(),
            last_epoch: 0,
            last_history_state: None,
            probes: Vec::new(),
            max_concurrent_probes: 0,
            operator_command_at: None,
            transitions: Vec::new(),
        }
    }
}
