//! One fault, from before it to after it, and what is asserted of every fault.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    clients::CliClients,
    fleet::{FAILING_MODEL, Fleet, HEALTHY_MODEL, ROUTE, WAIT_TIMEOUT},
    load::{Call, CallOrigin, Latencies, Load},
};

/// Traffic before the fault, and after it.
const TRAFFIC_MARGIN: Duration = Duration::from_millis(400);

/// Traffic that is not measured.
const WARM_UP_DURATION: Duration = Duration::from_millis(200);

/// A call that waited for a store that hangs waits at least so long (80 ms are its patience).
const MIN_STORE_WAIT: Duration = Duration::from_millis(75);

/// A probe may wait 100 ms for the store (F3); this is well above that and what the machine adds.
const MAX_PROBE_WAIT: Duration = Duration::from_millis(250);

/// So many calls of a hundred may be slow beyond twice those of the instance that knows no Redis: of so few calls
/// shares are vague.
const MAX_NOISE_PERCENT: f64 = 5.0;

/// So few slow calls say nothing.
const MAX_IGNORED_SLOW_CALLS: usize = 8;

/// On a machine with more work than cores, Redis may now and then take more than 80 ms to answer: so often, and as
/// often as a call that needs no Redis took that long.
const MAX_STORE_BLIPS: usize = 2;

/// A fault on trial.
pub(crate) struct Trial {
    fault: &'static str,
    pub(crate) fleet: Fleet,
    load: Load,
    clients: CliClients,
    began: Instant,
    fault_at: Instant,
    recovered_at: Instant,
    /// Of each instance, how many lines it had said when the fault struck.
    lines_before_fault: Vec<usize>,
    health: String,
    doctor: String,
}

impl Trial {
    /// Traffic begins, and all is well for a while.
    pub(crate) async fn begin(fault: &'static str, fleet: Fleet) -> Self {
        fleet.wait_until_all_are("connected").await;
        // Connections, circuits and caches are there before anything is measured.
        for instance in fleet.instances.iter().chain([&fleet.control]) {
            for model in [HEALTHY_MODEL, ROUTE, ROUTE] {
                assert_eq!(instance.chat(model).await.0, 200);
            }
        }
        let of_fleet = fleet.instances.iter().map(|instance| (CallOrigin::Fleet, instance));
        let load =
            Load::start(of_fleet.chain([(CallOrigin::Control, &fleet.control)]), &[HEALTHY_MODEL, ROUTE]);
        sleep(WARM_UP_DURATION).await;
        let began = Instant::now();
        sleep(TRAFFIC_MARGIN).await;
        let clients = CliClients::start(fleet.variables());
        let said = fleet.instances.iter().map(|instance| instance.program.lines().len()).collect();
        let now = Instant::now();
        Self {
            fault,
            fleet,
            load,
            clients,
            began,
            fault_at: now,
            recovered_at: now,
            lines_before_fault: said,
            health: "connected".to_owned(),
            doctor: "not asked".to_owned(),
        }
    }

    /// The fault strikes now; at the same time a model falls sick, so that circuits have something to decide.
    pub(crate) fn begin_fault(&mut self) {
        self.fault_at = Instant::now();
        self.fleet.fail_model();
    }

    /// Waits until every instance says that its store is away, and why.
    pub(crate) async fn wait_until_degraded(&mut self, why: &str) {
        for instance in &self.fleet.instances {
            let began = Instant::now();
            loop {
                let health = instance.health().await;
                let error = health["store"]["error"].as_str().unwrap_or_default();
                // On a busy machine Redis may be found late before it is found to refuse.
                if health["status"] == "degraded" && error.contains(why) {
                    self.health = format!("degraded: {error}");
                    break;
                }
                assert!(began.elapsed() < WAIT_TIMEOUT, "{why:?} expected: {health}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Every instance breaks on its own: the sick model's circuit is open in each.
    pub(crate) async fn wait_until_each_has_opened(&self) {
        for instance in &self.fleet.instances {
            let began = Instant::now();
            while instance.health().await["circuits"]["open"] == 0 {
                assert!(began.elapsed() < WAIT_TIMEOUT, "no circuit opened: {}", instance.health().await);
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// `doctor` finds it, in this check, with these words, and says what to do.
    pub(crate) async fn assert_doctor_finds(&mut self, check: &str, found: &str) {
        let began = Instant::now();
        let finding = loop {
            let report = self.fleet.doctor().await.json();
            let findings = report["checks"].as_array().unwrap();
            let finding = findings.iter().find(|finding| finding["check"] == check).unwrap().clone();
            if finding["found"].as_str().is_some_and(|text| text.contains(found)) {
                break finding;
            }
            // It gives Redis 3 s, which a busy machine may need for itself.
            assert!(began.elapsed() < WAIT_TIMEOUT, "{found:?} expected: {finding}");
        };
        let found_text = finding["found"].as_str().unwrap();
        assert!(finding["advice"].is_string(), "no advice: {finding}");
        let (verdict, advice) = (finding["verdict"].as_str().unwrap(), finding["advice"].as_str().unwrap());
        self.doctor = format!("{check} {verdict}: {found_text}; {advice}");
    }

    /// The fault is over from now on, and the sick model well again.
    pub(crate) fn end_fault(&mut self) {
        self.recovered_at = Instant::now();
        self.fleet.recover_model();
    }

    /// Asserts what holds of every fault, and prints its row. `away`: how often each instance may have said that the
    /// store is away.
    pub(crate) async fn assert_recovered(self, away: usize) -> Fleet {
        self.assert_recovered_with_noise(away, MAX_NOISE_PERCENT).await
    }

    /// The same where an instance has much to read, which the one that knows no Redis has not: of a hundred calls, so
    /// many may be slow by that alone.
    pub(crate) async fn assert_recovered_with_noise(mut self, away: usize, noise: f64) -> Fleet {
        if self.recovered_at == self.fault_at {
            self.end_fault();
        }
        self.fleet.wait_until_all_are("connected").await;
        let back = self.recovered_at.elapsed();
        self.fleet.wait_until_open(0).await;
        let word = self.fleet.assert_notified().await;
        sleep(TRAFFIC_MARGIN).await;
        let end = Instant::now();
        let before = self.load.calls_between(self.began, self.fault_at);
        let during = self.load.calls_between(self.fault_at, self.recovered_at);
        let all = self.load.calls_between(self.began, end);
        self.print(&before, &during, &all, back, word);
        self.assert_nothing_lost(&all);
        self.assert_no_store_waits(&during, noise);
        self.assert_log_is_short(away, &all);
        self.clients.assert_served();
        assert_is_consistent(&self.fleet.history(FAILING_MODEL).await);
        self.fleet
    }

    fn print(&self, before: &[Call], during: &[Call], all: &[Call], back: Duration, word: Duration) {
        let of = |calls, from, model| Latencies::from_calls(&calls_of(calls, from, model));
        println!(
            "| {} | {:.1} s | {} | {} | {} | {} | {} | {} | {} | {} | {} ms | {} ms |",
            self.fault,
            (self.recovered_at - self.fault_at).as_secs_f64(),
            calls_of(all, CallOrigin::Fleet, HEALTHY_MODEL).len()
                + calls_of(all, CallOrigin::Fleet, ROUTE).len(),
            all.iter().filter(|call| call.origin == CallOrigin::Fleet && call.status != 200).count(),
            of(before, CallOrigin::Fleet, HEALTHY_MODEL),
            of(during, CallOrigin::Fleet, HEALTHY_MODEL),
            of(during, CallOrigin::Control, HEALTHY_MODEL),
            of(during, CallOrigin::Fleet, ROUTE),
            self.health,
            self.doctor,
            back.as_millis(),
            word.as_millis(),
        );
    }

    /// F3: every call could be answered by a healthy model, and was.
    fn assert_nothing_lost(&self, all: &[Call]) {
        let lost: Vec<_> = all.iter().filter(|call| call.status != 200).collect();
        assert!(lost.is_empty(), "{}: lost {lost:?}", self.fault);
    }

    /// F3: a closed circuit's call does not wait for the store at all, a probe's at most 100 ms. What the machine
    /// adds is told by the instance that knows no Redis.
    fn assert_no_store_waits(&self, during: &[Call], noise: f64) {
        for (model, limit) in [(HEALTHY_MODEL, MIN_STORE_WAIT), (ROUTE, MAX_PROBE_WAIT)] {
            let slow = |from| {
                let calls = calls_of(during, from, model);
                let slow = calls.iter().filter(|call| call.took >= limit).count();
                (slow, percent(slow, calls.len()))
            };
            let ((many, fleet), (_, control)) = (slow(CallOrigin::Fleet), slow(CallOrigin::Control));
            assert!(
                many <= MAX_IGNORED_SLOW_CALLS || fleet <= 2.0 * control + noise,
                "{}: {fleet:.0} % of the calls to {model} took {limit:?} or more, without Redis {control:.0} %",
                self.fault
            );
        }
    }

    /// F3: the log says it once, not per call.
    fn assert_log_is_short(&self, away: usize, all: &[Call]) {
        let late = |call: &&Call| call.origin == CallOrigin::Control && call.took >= MIN_STORE_WAIT;
        let most = away + MAX_STORE_BLIPS + all.iter().filter(late).count();
        for (instance, said) in self.fleet.instances.iter().zip(&self.lines_before_fault) {
            let lines = instance.program.lines();
            let troubled: Vec<_> = lines[*said..]
                .iter()
                .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
                // A transition is no trouble with the store.
                .filter(|line| !line.contains(" circuit opened "))
                .collect();
            let reported = troubled.iter().filter(|line| line.contains("Redis unreachable")).count();
            assert!(
                reported <= most,
                "{}: said {reported} times that Redis is unreachable: {troubled:#?}",
                self.fault
            );
            assert!(troubled.len() <= most + 1, "{}: {troubled:#?}", self.fault);
        }
    }
}

fn calls_of<'a>(calls: &'a [Call], from: CallOrigin, model: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.origin == from && call.model == model).collect()
}

/// In a hundred.
fn percent(some: usize, all: usize) -> f64 {
    let count = |calls: usize| u32::try_from(calls).map_or(f64::MAX, f64::from);
    100.0 * count(some) / count(all).max(1.0)
}

/// B11: each entry goes on from the one before, in an epoch of its own.
pub(crate) fn assert_is_consistent(history: &[Value]) {
    for pair in history.windows(2) {
        assert!(pair[0]["epoch"].as_u64() < pair[1]["epoch"].as_u64(), "epochs: {pair:#?}");
        assert_eq!(pair[0]["to"], pair[1]["from"], "a transition is missing or told twice: {pair:#?}");
    }
}
