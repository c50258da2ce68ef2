//! What holds after any sequence of events whatsoever.

use std::time::Duration;

use breaker::{
    Admission, Context, Document, Effect, Event, Extras, Failure, FailureKind, InstanceId, Lease, Outcome,
    Phase, Policy, Record, Stamp, Step, Timestamp, admit, adopt, apply, encode, merge,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Something that happens; calls are named by their place among all that were admitted.
#[derive(Debug, Clone)]
enum Happening {
    Wait(u64),
    Call { instance: usize },
    Ended { call: usize, outcome: Outcome },
    Content { call: usize },
    Left { call: usize },
    Successes { call: usize },
    Open { seconds: Option<u64> },
    Close,
}

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::status(529)),
        Just(Failure::of(FailureKind::Timeout)),
        Just(Failure::of(FailureKind::Connection)),
    ]
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let waits = option::of((0..2_000u64).prop_map(Duration::from_secs));
    prop_oneof![
        2 => Just(Outcome::Succeeded),
        4 => failures().prop_map(Outcome::Failed),
        1 => waits.prop_map(|wait| Outcome::Rest { failure: Failure::of(FailureKind::RateLimited), wait }),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (0..8_000u64).prop_map(Happening::Wait),
        6 => (0..3usize).prop_map(|instance| Happening::Call { instance }),
        8 => (0..200usize, outcomes()).prop_map(|(call, outcome)| Happening::Ended { call, outcome }),
        1 => (0..200usize).prop_map(|call| Happening::Content { call }),
        1 => (0..200usize).prop_map(|call| Happening::Left { call }),
        1 => (0..200usize).prop_map(|call| Happening::Successes { call }),
        1 => option::of(0..30u64).prop_map(|seconds| Happening::Open { seconds }),
        1 => Just(Happening::Close),
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
    calls: Vec<(InstanceId, Stamp)>,
}

impl Fleet {
    fn new(policy: Policy) -> Self {
        let first = InstanceId::new("i0");
        Self { policy, now: NOW, record: Record::fresh(0, &first, NOW), calls: Vec::new() }
    }

    fn happen(&mut self, happening: Happening) -> Result<(), TestCaseError> {
        let operator = InstanceId::new("i0");
        let picked = |call: usize| {
            let count = self.calls.len().max(1);
            self.calls.get(call % count).cloned()
        };
        let (instance, event) = match happening {
            Happening::Wait(millis) => {
                self.now = self.now + Duration::from_millis(millis);
                return Ok(());
            }
            Happening::Call { instance } => return self.call(&InstanceId::new(&format!("i{instance}"))),
            Happening::Open { seconds } => {
                let until = seconds.map(|seconds| self.now + Duration::from_secs(seconds));
                (operator, Event::Open { until, why: None })
            }
            Happening::Close => (operator, Event::Close { why: None }),
            Happening::Ended { call, outcome } => {
                let Some((instance, stamp)) = picked(call) else { return Ok(()) };
                (instance, Event::Ended { stamp, outcome, at: self.now })
            }
            Happening::Content { call } => {
                let Some((instance, stamp)) = picked(call) else { return Ok(()) };
                (instance, Event::FirstContent { stamp })
            }
            Happening::Left { call } => {
                let Some((instance, stamp)) = picked(call) else { return Ok(()) };
                (instance, Event::Left { stamp })
            }
            Happening::Successes { call } => {
                let Some((instance, stamp)) = picked(call) else { return Ok(()) };
                (instance, Event::Successes { epoch: stamp.epoch, at: self.now, calls: 3 })
            }
        };
        self.apply(&instance, &event).map(|_| ())
    }

    fn call(&mut self, instance: &InstanceId) -> Result<(), TestCaseError> {
        let admission = admit(&self.record, &self.policy, instance, self.now);
        let id = format!("{}", self.calls.len());
        let until = self.now + self.policy.probe_lease;
        let lease = Lease { id: id.clone(), instance: instance.clone(), until };
        let step = self.apply(instance, &Event::Probe { lease })?;
        match (admission, step.effect) {
            (Admission::ProbeDue, Effect::Granted { epoch }) => {
                self.calls.push((instance.clone(), Stamp { epoch, lease: Some(id) }));
            }
            (Admission::Admitted, Effect::Denied) => {
                self.calls.push((instance.clone(), Stamp { epoch: self.record.epoch, lease: None }));
            }
            (Admission::Refused { .. }, Effect::Denied) => {}
            other => prop_assert!(false, "admission and lease disagree: {other:?}"),
        }
        Ok(())
    }

    fn apply(&mut self, instance: &InstanceId, event: &Event) -> Result<Step, TestCaseError> {
        let context = Context { instance, policy: &self.policy, now: self.now };
        let step = apply(&self.record, event, context);
        self.check(event, &step)?;
        self.record = step.record.clone();
        Ok(step)
    }

    fn check(&self, event: &Event, step: &Step) -> Result<(), TestCaseError> {
        let (before, after) = (&self.record, &step.record);
        prop_assert_eq!(step.transition.is_some(), after.epoch != before.epoch);
        prop_assert!(after.epoch >= before.epoch, "the epoch went back");
        prop_assert!(self.living_leases(after) <= self.policy.half_open_probes as usize);
        if epoch_of(event).is_some_and(|epoch| epoch != before.epoch) {
            prop_assert_eq!(before, after, "an event of another epoch counted");
        }
        if matches!(step.effect, Effect::Void | Effect::Denied) {
            prop_assert_eq!(before, after, "what does not count changed something");
        }
        if !matches!(event, Event::Open { .. } | Event::Close { .. }) {
            self.check_deadline(after)?;
        }
        if after.is_calm() {
            self.check_calm(after)?;
        }
        self.check_lifetime(after)?;
        check_success(event, step)?;
        check_wire(after, &self.policy)
    }

    /// What a calm circuit promises to those who look no further.
    fn check_calm(&self, record: &Record) -> Result<(), TestCaseError> {
        let instance = InstanceId::new("i1");
        prop_assert_eq!(admit(record, &self.policy, &instance, self.now), Admission::Admitted);
        prop_assert!(!record.success_is_news(&instance));
        Ok(())
    }

    /// B8: nothing expires inside an open period or a probe, and no rule makes one longer than its longest.
    fn check_lifetime(&self, after: &Record) -> Result<(), TestCaseError> {
        let leases = match &after.phase {
            Phase::HalfOpen { leases, .. } => leases.iter().map(|lease| lease.until).max(),
            _ => None,
        };
        let Some(lifetime) = after.lifetime(self.now) else {
            prop_assert!(after.is_forced(), "lives for ever");
            return Ok(());
        };
        prop_assert!(!after.is_forced(), "what is forced expires");
        prop_assert!(after.retry_at().max(leases).is_none_or(|needed| self.now + lifetime >= needed));
        let longest = self.policy.max_open_duration.max(self.policy.max_cooldown);
        if after.epoch != self.record.epoch && matches!(after.phase, Phase::Open(_)) {
            let stood = self.record.retry_at().unwrap_or(Timestamp::NEVER);
            prop_assert!(after.retry_at() <= Some(stood.max(self.now + longest)), "open for too long");
        }
        Ok(())
    }

    fn living_leases(&self, record: &Record) -> usize {
        match &record.phase {
            Phase::HalfOpen { leases, .. } => leases.iter().filter(|lease| lease.lives(self.now)).count(),
            _ => 0,
        }
    }

    /// What is no person's word shortens no deadline and ends nothing that is forced.
    fn check_deadline(&self, after: &Record) -> Result<(), TestCaseError> {
        match &self.record.phase {
            Phase::Forced { until } if until.is_none_or(|until| self.now < until) => {
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

/// B6: a success that counts in a closed circuit ends the row.
fn check_success(event: &Event, step: &Step) -> Result<(), TestCaseError> {
    let succeeded = matches!(event, Event::Ended { outcome: Outcome::Succeeded, .. });
    if succeeded && step.effect == Effect::Counted && matches!(step.record.phase, Phase::Closed) {
        prop_assert_eq!(step.record.row.failures, 0);
    }
    Ok(())
}

/// F4: what is brought together is newer than what stood there or is what stood there; the later deadline stands, and
/// what a person forced. Brought together once more, it stays.
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
        Phase::Open(outage) | Phase::HalfOpen { outage, .. } => outage.alone.is_some(),
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
        Event::Ended { stamp, .. } | Event::FirstContent { stamp } | Event::Left { stamp } => {
            Some(stamp.epoch)
        }
        Event::Successes { epoch, .. } => Some(*epoch),
        Event::Probe { .. } | Event::Open { .. } | Event::Close { .. } | Event::Touch => None,
    }
}

/// It is read as it was written, with a state that an Open SWE instance knows.
fn check_wire(record: &Record, policy: &Policy) -> Result<(), TestCaseError> {
    let text = encode(record, &Extras::default());
    prop_assert_eq!(Document::parse(&text, policy), Document::Ours(record.clone(), Extras::default()));
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let expected = if matches!(record.phase, Phase::Closed) { "CLOSED" } else { "OPEN" };
    prop_assert_eq!(&value["state"], &json!(expected));
    prop_assert_eq!(
        value.get("openedAt").is_none(),
        matches!(record.phase, Phase::Closed | Phase::Forced { .. })
    );
    Ok(())
}

/// Values that somebody might write for any field.
fn odd_values() -> impl Strategy<Value = Value> {
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

fn odd_objects() -> impl Strategy<Value = Value> {
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
    (vec((names, odd_values()), 0..12), state).prop_map(|(fields, state)| {
        let mut object: serde_json::Map<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        object.entry("state").or_insert(json!(state));
        Value::Object(object)
    })
}

/// Whatever it is, it can be obeyed and taken over, and its key can be given a lifetime that Redis accepts.
fn check_taking_over(bytes: &[u8]) -> Result<(), TestCaseError> {
    let (policy, instance) = (Policy::default(), InstanceId::new("a"));
    let document = Document::parse(bytes, &policy);
    let foreign = matches!(document, Document::Foreign(..));
    let (mut record, extras) = document.into_parts();
    let _ = admit(&record, &policy, &instance, NOW);
    if foreign {
        let context = Context { instance: &instance, policy: &policy, now: NOW };
        (record, _) = adopt(&record, None, context);
        let written = Document::parse(&encode(&record, &extras), &policy);
        prop_assert_eq!(written, Document::Ours(record.clone(), extras));
    }
    let lifetime = record.lifetime(NOW).unwrap_or_default();
    prop_assert!(lifetime.as_millis() < 1 << 53, "{lifetime:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_events_keeps_the_rules(policy in policies(), story in vec(happenings(), 1..120)) {
        let mut fleet = Fleet::new(policy);
        for happening in story {
            fleet.happen(happening)?;
        }
    }

    #[test]
    fn what_was_learnt_apart_comes_together(
        policy in policies(),
        together in vec(happenings(), 0..30),
        [here, there] in [vec(happenings(), 0..30), vec(happenings(), 0..30)],
    ) {
        let mut fleet = Fleet::new(policy);
        for happening in together {
            fleet.happen(happening)?;
        }
        let mut parts = [fleet.clone(), fleet];
        for (part, story) in parts.iter_mut().zip([here, there]) {
            for happening in story {
                part.happen(happening)?;
            }
        }
        let [local, remote] = parts;
        check_merge(&local, &remote, local.now.max(remote.now))?;
    }

    /// B5: as many failures as are told are counted, whoever tells them and when, until one more would trip.
    #[test]
    fn no_failure_is_lost(tellers in vec((0..3usize, 0..50u64), 0..9)) {
        let policy = Policy { burst_threshold: 10, failure_threshold: 10, ..Policy::default() };
        let mut fleet = Fleet::new(policy);
        let count = tellers.len();
        for (instance, wait) in tellers {
            fleet.happen(Happening::Wait(wait))?;
            fleet.happen(Happening::Call { instance })?;
            let outcome = Outcome::Failed(Failure::status(529));
            let call = fleet.calls.len() - 1;
            fleet.happen(Happening::Ended { call, outcome })?;
        }
        prop_assert_eq!(fleet.record.row.failures as usize, count);
    }

    #[test]
    fn any_bytes_are_a_circuit_or_garbage(bytes in vec(any::<u8>(), 0..200)) {
        check_taking_over(&bytes)?;
    }

    #[test]
    fn any_object_can_be_taken_over(object in odd_objects()) {
        check_taking_over(object.to_string().as_bytes())?;
    }
}
