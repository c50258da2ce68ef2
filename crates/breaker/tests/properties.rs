//! What holds after any sequence of events.

use std::time::Duration;

use breaker::{
    Admission, AdmissionToken, Applied, Context, Document, Event, EventResult, Extras, Failure, FailureKind,
    InstanceId, KnownBefore, Lease, Outcome, Phase, Policy, Record, Source, Timestamp, admit, adopt, apply,
    encode, merge,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Something that happens; a call is identified by its index among the admitted ones.
#[derive(Debug, Clone)]
enum Action {
    Wait(u64),
    Call { instance: usize, source: Option<Source> },
    CallCompleted { call: usize, outcome: Outcome },
    FirstToken { call: usize },
    PermitReleased { call: usize },
    MergedSuccesses { call: usize },
    Open { seconds: Option<u64> },
    Close,
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::status(529)),
        Just(Failure::new(FailureKind::Timeout)),
        Just(Failure::new(FailureKind::Connection)),
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let waits = option::of((0..2_000u64).prop_map(Duration::from_secs));
    prop_oneof![
        2 => Just(Outcome::Succeeded),
        4 => failures().prop_map(Outcome::Failed),
        1 => waits.prop_map(|wait| Outcome::RateLimited { failure: Failure::new(FailureKind::RateLimited), retry_after: wait }),
    ]
}

/// A few callers, one of them without a name, with a few requests each; and calls that name nobody.
fn sources() -> impl Strategy<Value = Option<Source>> {
    let callers = prop_oneof![Just(None), Just("ci".parse().ok()), Just("web".parse().ok())];
    option::weighted(
        0.8,
        (callers, option::weighted(0.9, 0..3u8)).prop_map(|(caller, tag)| Source { caller, tag }),
    )
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => (0..8_000u64).prop_map(Action::Wait),
        6 => (0..3usize, sources()).prop_map(|(instance, source)| Action::Call { instance, source }),
        8 => (0..200usize, outcomes()).prop_map(|(call, outcome)| Action::CallCompleted { call, outcome }),
        1 => (0..200usize).prop_map(|call| Action::FirstToken { call }),
        1 => (0..200usize).prop_map(|call| Action::PermitReleased { call }),
        1 => (0..200usize).prop_map(|call| Action::MergedSuccesses { call }),
        1 => option::of(0..30u64).prop_map(|seconds| Action::Open { seconds }),
        1 => Just(Action::Close),
    ]
}

fn policies() -> impl Strategy<Value = Policy> {
    let counts = (1..4u32, 0..500u64, 1..4u32, 1..4u32, 0..2_000u64);
    (counts, option::of(0.1..1.0f64)).prop_map(|((threshold, span, probes, successes, lease), rate)| Policy {
        failure_threshold: threshold,
        min_failure_span: Duration::from_millis(span),
        burst_threshold: threshold + 2,
        failure_rate: rate,
        minimum_calls: 4,
        half_open_probes: probes,
        success_threshold: successes,
        probe_lease: Duration::from_millis(lease),
        ..Policy::default()
    })
}

/// A fleet's calls on one circuit.
#[derive(Clone)]
struct Fleet {
    policy: Policy,
    now: Timestamp,
    record: Record,
    calls: Vec<(InstanceId, AdmissionToken, Option<Source>)>,
}

impl Fleet {
    fn new(policy: Policy) -> Self {
        let first = InstanceId::new("i0");
        Self { policy, now: NOW, record: Record::fresh(0, &first, NOW), calls: Vec::new() }
    }

    fn perform(&mut self, action: Action) -> Result<(), TestCaseError> {
        let operator = InstanceId::new("i0");
        let picked = |call: usize| {
            let count = self.calls.len().max(1);
            self.calls.get(call % count).cloned()
        };
        let (instance, event) = match action {
            Action::Wait(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                return Ok(());
            }
            Action::Call { instance, source } => {
                return self.call(&InstanceId::new(&format!("i{instance}")), source);
            }
            Action::Open { seconds } => {
                let until = seconds.map(|seconds| self.now + Duration::from_secs(seconds));
                (operator, Event::ForceOpen { until, reason: None, by: None })
            }
            Action::Close => (operator, Event::ForceClose { reason: None, by: None }),
            Action::CallCompleted { call, outcome } => {
                let Some((instance, stamp, source)) = picked(call) else { return Ok(()) };
                (instance, Event::CallCompleted { token: stamp, outcome, source, at: self.now })
            }
            Action::FirstToken { call } => {
                let Some((instance, stamp, _)) = picked(call) else { return Ok(()) };
                (instance, Event::FirstToken { token: stamp })
            }
            Action::PermitReleased { call } => {
                let Some((instance, stamp, _)) = picked(call) else { return Ok(()) };
                (instance, Event::PermitReleased { token: stamp })
            }
            Action::MergedSuccesses { call } => {
                let Some((instance, stamp, _)) = picked(call) else { return Ok(()) };
                (instance, Event::Successes { epoch: stamp.epoch, at: self.now, calls: 3 })
            }
        };
        self.apply(&instance, &event).map(|_| ())
    }

    fn call(&mut self, instance: &InstanceId, source: Option<Source>) -> Result<(), TestCaseError> {
        let admission = admit(&self.record, &self.policy, instance, &source, self.now);
        let id = format!("{}", self.calls.len());
        let until = self.now + self.policy.probe_lease;
        let lease = Lease { id: id.clone(), instance: instance.clone(), until };
        let step = self.apply(instance, &Event::ProbeRequested { lease, source: source.clone() })?;
        match (admission, step.result) {
            (Admission::ProbeDue, EventResult::ProbeGranted { epoch }) => {
                self.calls.push((instance.clone(), AdmissionToken { epoch, lease_id: Some(id) }, source));
            }
            (Admission::Admitted, EventResult::ProbeDenied) => {
                let token = AdmissionToken { epoch: self.record.epoch, lease_id: None };
                self.calls.push((instance.clone(), token, source));
            }
            (Admission::Refused { .. }, EventResult::ProbeDenied) => {}
            other => prop_assert!(false, "admission and lease disagree: {other:?}"),
        }
        Ok(())
    }

    fn apply(&mut self, instance: &InstanceId, event: &Event) -> Result<Applied, TestCaseError> {
        let context = Context { instance, policy: &self.policy, now: self.now };
        let step = apply(&self.record, event, context);
        self.check(event, &step)?;
        self.record = step.record.clone();
        Ok(step)
    }

    fn check(&self, event: &Event, step: &Applied) -> Result<(), TestCaseError> {
        let (before, after) = (&self.record, &step.record);
        prop_assert_eq!(step.transition.is_some(), after.epoch != before.epoch);
        prop_assert!(after.epoch >= before.epoch, "the epoch went back");
        prop_assert!(self.active_leases(after) <= self.policy.half_open_probes as usize);
        if epoch_of(event).is_some_and(|epoch| epoch != before.epoch) {
            prop_assert_eq!(before, after, "an event of another epoch counted");
        }
        if matches!(step.result, EventResult::Stale | EventResult::ProbeDenied) {
            prop_assert_eq!(before, after, "what does not count changed something");
        }
        if !matches!(event, Event::ForceOpen { .. } | Event::ForceClose { .. }) {
            self.check_deadline(after)?;
        }
        if after.is_pristine() {
            self.check_fast_path(after)?;
        }
        self.check_lifetime(after)?;
        check_success(event, step)?;
        check_wire(after, &self.policy)
    }

    /// What a pristine circuit promises to the fast path.
    fn check_fast_path(&self, record: &Record) -> Result<(), TestCaseError> {
        let instance = InstanceId::new("i1");
        prop_assert_eq!(admit(record, &self.policy, &instance, &None, self.now), Admission::Admitted);
        prop_assert!(!record.success_changes_state(&instance, self.now));
        Ok(())
    }

    /// B8: nothing expires inside an open period or a probe, and no rule makes one longer than its maximum.
    fn check_lifetime(&self, after: &Record) -> Result<(), TestCaseError> {
        let leases = match &after.phase {
            Phase::HalfOpen { leases, .. } => leases.iter().map(|lease| lease.until).max(),
            _ => None,
        };
        let Some(lifetime) = after.ttl(self.now) else {
            prop_assert!(after.is_forced(), "never expires");
            return Ok(());
        };
        prop_assert!(!after.is_forced() || after.retry_at().is_some(), "a forced circuit expires");
        prop_assert!(after.retry_at().max(leases).is_none_or(|needed| self.now + lifetime >= needed));
        let longest = self.policy.max_open_duration.max(self.policy.max_cooldown);
        if after.epoch != self.record.epoch && matches!(after.phase, Phase::Open(_)) {
            let stood = self.record.retry_at().unwrap_or(Timestamp::NEVER);
            prop_assert!(after.retry_at() <= Some(stood.max(self.now + longest)), "open for too long");
        }
        Ok(())
    }

    fn active_leases(&self, record: &Record) -> usize {
        match &record.phase {
            Phase::HalfOpen { leases, .. } => leases.iter().filter(|lease| lease.is_active(self.now)).count(),
            _ => 0,
        }
    }

    /// Only a manual override shortens a deadline or ends a forced open state.
    fn check_deadline(&self, after: &Record) -> Result<(), TestCaseError> {
        match &self.record.phase {
            Phase::ForcedOpen { until } if until.is_none_or(|until| self.now < until) => {
                prop_assert_eq!(&self.record, after);
            }
            Phase::Open(outage) | Phase::HalfOpen { outage, .. } if !matches!(after.phase, Phase::Closed) => {
                prop_assert!(after.retry_at() >= Some(outage.retry_at), "a deadline was shortened");
            }
            _ => {}
        }
        Ok(())
    }
}

/// B6: a success that counts in a closed circuit resets the consecutive failures.
fn check_success(event: &Event, step: &Applied) -> Result<(), TestCaseError> {
    let succeeded = matches!(event, Event::CallCompleted { outcome: Outcome::Succeeded, .. });
    if succeeded && step.result == EventResult::Recorded && matches!(step.record.phase, Phase::Closed) {
        prop_assert_eq!(step.record.consecutive_failures.count, 0);
    }
    Ok(())
}

/// F4: a merged record is newer than the stored one or equal to it. The later deadline and a forced open state win.
/// Merging once more changes nothing.
fn check_merge(local: &Fleet, remote: &Fleet, now: Timestamp) -> Result<(), TestCaseError> {
    let (instance, policy) = (InstanceId::new("i1"), &local.policy);
    let context = Context { instance: &instance, policy, now };
    let step = merge(&local.record, &remote.record, context);
    prop_assert_eq!(step.transition.is_some(), step.record.epoch != remote.record.epoch);
    if step.transition.is_some() {
        prop_assert!(step.record.epoch > local.record.epoch.max(remote.record.epoch));
    }
    let open = |record: &Record| matches!(record.phase, Phase::Open(_) | Phase::HalfOpen { .. });
    let alone = |record: &Record| match &record.phase {
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.sole_reporter.is_some(),
        _ => false,
    };
    if open(&local.record) && open(&remote.record) && !alone(&local.record) {
        prop_assert!(step.record.retry_at() >= local.record.retry_at().max(remote.record.retry_at()));
    }
    if local.record.is_forced() && remote.record.is_forced() {
        prop_assert!(step.record.is_forced());
    }
    let again = merge(&step.record, &step.record, context);
    prop_assert_eq!(again.transition, None);
    Ok(())
}

const fn epoch_of(event: &Event) -> Option<u64> {
    match event {
        Event::CallCompleted { token: stamp, .. }
        | Event::FirstToken { token: stamp }
        | Event::LeaseRenewed { token: stamp, .. }
        | Event::PermitReleased { token: stamp } => Some(stamp.epoch),
        Event::Successes { epoch, .. } => Some(*epoch),
        Event::ProbeRequested { .. }
        | Event::ForceOpen { .. }
        | Event::ForceClose { .. }
        | Event::RefreshTtl => None,
    }
}

/// It is read as it was written, with a state that an Open SWE instance knows.
fn check_wire(record: &Record, policy: &Policy) -> Result<(), TestCaseError> {
    let text = encode(record, &Extras::default());
    prop_assert_eq!(Document::parse(&text, policy), Document::Native(record.clone(), Extras::default()));
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let expected = if matches!(record.phase, Phase::Closed) { "CLOSED" } else { "OPEN" };
    prop_assert_eq!(&value["state"], &json!(expected));
    prop_assert_eq!(
        value.get("openedAt").is_none(),
        matches!(record.phase, Phase::Closed | Phase::ForcedOpen { until: None })
    );
    Ok(())
}

/// Values that somebody might write for any field.
fn arbitrary_values() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(vec![0.5, -1.5, 1e18, 1e300, -1e300]).prop_map(Value::from),
        prop_oneof![Just("OPEN"), Just("CLOSED"), Just("HALF_OPEN"), Just("")].prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"id": "1", "instance": "a", "until": 5}])),
        Just(json!({"buckets": [[1, 2, 3, 4, "*"]], "cutOff": 7})),
    ]
}

fn arbitrary_objects() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "state",
        "failureCount",
        "lastFailureTime",
        "openedAt",
        "epoch",
        "retryAt",
        "trips",
        "forced",
        "probe",
        "reason",
        "window",
        "updatedBy",
        "updatedAt",
        "seal",
        "note",
    ]);
    let state = prop_oneof![Just("OPEN"), Just("CLOSED")];
    (vec((names, arbitrary_values()), 0..12), state).prop_map(|(fields, state)| {
        let mut object: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        object.entry("state").or_insert(json!(state));
        Value::Object(object)
    })
}

/// Any value can be obeyed and adopted, and its key gets a lifetime that Redis accepts.
fn check_external_value(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (policy, instance) = (Policy::default(), InstanceId::new("a"));
    let document = Document::parse(bytes, &policy);
    let (mut record, extras) = document.clone().into_parts();
    let _ = admit(&record, &policy, &instance, &None, NOW);
    if let Document::External(external, _) = document {
        let context = Context { instance: &instance, policy: &policy, now: NOW };
        let known = KnownBefore { record: None, last_epoch: 0, history_tail: None };
        (record, _) = adopt(&external, known, context);
        let written = Document::parse(&encode(&record, &extras), &policy);
        prop_assert_eq!(written, Document::Native(record.clone(), extras));
    }
    let lifetime = record.ttl(NOW).unwrap_or_default();
    prop_assert!(lifetime.as_millis() < 1 << 53, "{lifetime:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_keeps_the_rules(policy in policies(), actions in vec(actions(), 1..120)) {
        let mut fleet = Fleet::new(policy);
        for action in actions {
            fleet.perform(action)?;
        }
    }

    #[test]
    fn diverged_records_merge(
        policy in policies(),
        together in vec(actions(), 0..30),
        [here, there] in [vec(actions(), 0..30), vec(actions(), 0..30)],
    ) {
        let mut fleet = Fleet::new(policy);
        for action in together {
            fleet.perform(action)?;
        }
        let mut parts = [fleet.clone(), fleet];
        for (part, actions) in parts.iter_mut().zip([here, there]) {
            for action in actions {
                part.perform(action)?;
            }
        }
        let [local, remote] = parts;
        check_merge(&local, &remote, local.now.max(remote.now))?;
    }

    /// B5: every reported failure is counted, whoever reports it and when, until one more would trip.
    #[test]
    fn no_failure_is_lost(reporters in vec((0..3usize, 0..50u64), 0..9)) {
        let policy = Policy { burst_threshold: 10, failure_threshold: 10, ..Policy::default() };
        let mut fleet = Fleet::new(policy);
        let count = reporters.len();
        for (instance, wait) in reporters {
            fleet.perform(Action::Wait(wait))?;
            fleet.perform(Action::Call { instance, source: None })?;
            let outcome = Outcome::Failed(Failure::status(529));
            let call = fleet.calls.len() - 1;
            fleet.perform(Action::CallCompleted { call, outcome })?;
        }
        prop_assert_eq!(fleet.record.consecutive_failures.count as usize, count);
    }

    /// B12: however one caller's calls fail, no other caller's call is refused, if theirs succeed.
    #[test]
    fn one_callers_failures_refuse_no_other(
        policy in policies(),
        steps in vec((0..3usize, 0..4u8, any::<bool>(), 0..3_000u64), 1..150),
    ) {
        let mut fleet = Fleet::new(policy);
        for (instance, tag, is_good, wait) in steps {
            fleet.perform(Action::Wait(wait))?;
            let caller = if is_good { "web" } else { "ci" };
            let source = Some(Source { caller: caller.parse().ok(), tag: Some(tag) });
            let admitted = fleet.calls.len();
            fleet.perform(Action::Call { instance, source })?;
            prop_assert!(!is_good || fleet.calls.len() > admitted, "refused: {:?}", fleet.record);
            let failed = Outcome::Failed(Failure::status(529));
            let outcome = if is_good { Outcome::Succeeded } else { failed };
            if fleet.calls.len() > admitted {
                fleet.perform(Action::CallCompleted { call: admitted, outcome })?;
            }
        }
    }

    #[test]
    fn any_bytes_are_a_circuit_or_invalid(bytes in vec(any::<u8>(), 0..200)) {
        check_external_value(&bytes)?;
    }

    #[test]
    fn any_object_can_be_adopted(object in arbitrary_objects()) {
        check_external_value(object.to_string().as_bytes())?;
    }
}
