//! One fault, from before it to after it, and what is asserted of every fault.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    clients::Clients,
    fleet::{CHAIN, Fleet, PATIENCE, SICK, STEADY},
    load::{Call, From, Load, Waits},
};

/// Traffic before the fault, and after it.
const AROUND: Duration = Duration::from_millis(400);

/// Traffic that is not measured.
const WARM_UP: Duration = Duration::from_millis(200);

/// A call that waited for a store that hangs waits at least so long (80 ms are its patience).
const WAITED_FOR_THE_STORE: Duration = Duration::from_millis(75);

/// A probe may wait 100 ms for the store (F3); this is well above that and what the machine adds.
const MORE_THAN_A_PROBE: Duration = Duration::from_millis(250);

/// So many calls of a hundred may be slow beyond twice those of the instance that knows no Redis: of so few calls
/// shares are vague.
const NOISE: f64 = 5.0;

/// So few slow calls say nothing.
const A_FEW: usize = 8;

/// On a machine with more work than cores, Redis may now and then take more than 80 ms to answer: so often, and as
/// often as a call that needs no Redis took that long.
const BLIPS: usize = 2;

/// A fault on trial.
pub(crate) struct Trial {
    fault: &'static str,
    pub(crate) fleet: Fleet,
    load: Load,
    clients: Clients,
    began: Instant,
    struck: Instant,
    healed: Instant,
    /// Of each instance, how many lines it had said when the fault struck.
    said: Vec<usize>,
    health: String,
    doctor: String,
}

impl Trial {
    /// Traffic begins, and all is well for a while.
    pub(crate) async fn begin(fault: &'static str, fleet: Fleet) -> Self {
        fleet.until_all_are("connected").await;
        // Connections, circuits and caches are there before anything is measured.
        for instance in fleet.instances.iter().chain([&fleet.control]) {
            for model in [STEADY, CHAIN, CHAIN] {
                assert_eq!(instance.chat(model).await.0, 200);
            }
        }
        let of_fleet = fleet.instances.iter().map(|instance| (From::Fleet, instance));
        let load = Load::start(of_fleet.chain([(From::Control, &fleet.control)]), &[STEADY, CHAIN]);
        sleep(WARM_UP).await;
        let began = Instant::now();
        sleep(AROUND).await;
        let clients = Clients::start(fleet.variables());
        let said = fleet.instances.iter().map(|instance| instance.program.lines().len()).collect();
        let now = Instant::now();
        Self {
            fault,
            fleet,
            load,
            clients,
            began,
            struck: now,
            healed: now,
            said,
            health: "connected".to_owned(),
            doctor: "not asked".to_owned(),
        }
    }

    /// The fault strikes now; at the same time a model falls sick, so that circuits have something to decide.
    pub(crate) fn strikes(&mut self) {
        self.struck = Instant::now();
        self.fleet.fall_sick();
    }

    /// Waits until every instance says that its store is away, and why.
    pub(crate) async fn until_degraded(&mut self, why: &str) {
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
                assert!(began.elapsed() < PATIENCE, "{why:?} expected: {health}");
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Every instance breaks on its own: the sick model's circuit is open in each.
    pub(crate) async fn until_each_has_opened(&self) {
        for instance in &self.fleet.instances {
            let began = Instant::now();
            while instance.health().await["circuits"]["open"] == 0 {
                assert!(began.elapsed() < PATIENCE, "no circuit opened: {}", instance.health().await);
                sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// `doctor` finds it, in this check, with these words, and says what to do.
    pub(crate) async fn doctor_says(&mut self, check: &str, found: &str) {
        let began = Instant::now();
        let finding = loop {
            let report = self.fleet.doctor().await.json();
            let findings = report["checks"].as_array().unwrap();
            let finding = findings.iter().find(|finding| finding["check"] == check).unwrap().clone();
            if finding["found"].as_str().is_some_and(|told| told.contains(found)) {
                break finding;
            }
            // It gives Redis 3 s, which a busy machine may need for itself.
            assert!(began.elapsed() < PATIENCE, "{found:?} expected: {finding}");
        };
        let told = finding["found"].as_str().unwrap();
        assert!(finding["advice"].is_string(), "no advice: {finding}");
        let (verdict, advice) = (finding["verdict"].as_str().unwrap(), finding["advice"].as_str().unwrap());
        self.doctor = format!("{check} {verdict}: {told}; {advice}");
    }

    /// The fault is over from now on, and the sick model well again.
    pub(crate) fn heals(&mut self) {
        self.healed = Instant::now();
        self.fleet.recover();
    }

    /// Asserts what holds of every fault, and prints its row. `away`: how often each instance may have said that the
    /// store is away.
    pub(crate) async fn all_is_well(self, away: usize) -> Fleet {
        self.all_is_well_but_for(away, NOISE).await
    }

    /// The same where an instance has much to read, which the one that knows no Redis has not: of a hundred calls, so
    /// many may be slow by that alone.
    pub(crate) async fn all_is_well_but_for(mut self, away: usize, noise: f64) -> Fleet {
        if self.healed == self.struck {
            self.heals();
        }
        self.fleet.until_all_are("connected").await;
        let back = self.healed.elapsed();
        self.fleet.until_open(0).await;
        let word = self.fleet.word_arrives().await;
        sleep(AROUND).await;
        let end = Instant::now();
        let before = self.load.between(self.began, self.struck);
        let during = self.load.between(self.struck, self.healed);
        let all = self.load.between(self.began, end);
        self.print(&before, &during, &all, back, word);
        self.nothing_was_lost(&all);
        self.nobody_waited(&during, noise);
        self.the_log_is_short(away, &all);
        self.clients.were_served();
        assert_is_consistent(&self.fleet.history(SICK).await);
        self.fleet
    }

    fn print(&self, before: &[Call], during: &[Call], all: &[Call], back: Duration, word: Duration) {
        let of = |calls, from, model| Waits::of(&only(calls, from, model));
        println!(
            "| {} | {:.1} s | {} | {} | {} | {} | {} | {} | {} | {} | {} ms | {} ms |",
            self.fault,
            (self.healed - self.struck).as_secs_f64(),
            only(all, From::Fleet, STEADY).len() + only(all, From::Fleet, CHAIN).len(),
            all.iter().filter(|call| call.from == From::Fleet && call.status != 200).count(),
            of(before, From::Fleet, STEADY),
            of(during, From::Fleet, STEADY),
            of(during, From::Control, STEADY),
            of(during, From::Fleet, CHAIN),
            self.health,
            self.doctor,
            back.as_millis(),
            word.as_millis(),
        );
    }

    /// F3: every call could be answered by a healthy model, and was.
    fn nothing_was_lost(&self, all: &[Call]) {
        let lost: Vec<_> = all.iter().filter(|call| call.status != 200).collect();
        assert!(lost.is_empty(), "{}: lost {lost:?}", self.fault);
    }

    /// F3: a closed circuit's call does not wait for the store at all, a probe's at most 100 ms. What the machine
    /// adds is told by the instance that knows no Redis.
    fn nobody_waited(&self, during: &[Call], noise: f64) {
        for (model, limit) in [(STEADY, WAITED_FOR_THE_STORE), (CHAIN, MORE_THAN_A_PROBE)] {
            let slow = |from| {
                let calls = only(during, from, model);
                let slow = calls.iter().filter(|call| call.took >= limit).count();
                (slow, share(slow, calls.len()))
            };
            let ((many, fleet), (_, control)) = (slow(From::Fleet), slow(From::Control));
            assert!(
                many <= A_FEW || fleet <= 2.0 * control + noise,
                "{}: {fleet:.0} % of the calls to {model} took {limit:?} or more, without Redis {control:.0} %",
                self.fault
            );
        }
    }

    /// F3: the log says it once, not per call.
    fn the_log_is_short(&self, away: usize, all: &[Call]) {
        let late = |call: &&Call| call.from == From::Control && call.took >= WAITED_FOR_THE_STORE;
        let most = away + BLIPS + all.iter().filter(late).count();
        for (instance, said) in self.fleet.instances.iter().zip(&self.said) {
            let lines = instance.program.lines();
            let troubled: Vec<_> = lines[*said..]
                .iter()
                .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
                .collect();
            let told = troubled.iter().filter(|line| line.contains("is away")).count();
            assert!(told <= most, "{}: said {told} times that the store is away: {troubled:#?}", self.fault);
            assert!(troubled.len() <= most + 1, "{}: {troubled:#?}", self.fault);
        }
    }
}

fn only<'a>(calls: &'a [Call], from: From, model: &str) -> Vec<&'a Call> {
    calls.iter().filter(|call| call.from == from && call.model == model).collect()
}

/// In a hundred.
fn share(some: usize, all: usize) -> f64 {
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
