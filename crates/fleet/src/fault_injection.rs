//! The faults of a random run.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::ModelKey;
use circuits::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    instance::{Instance, World},
    network::{NetworkConditions, StoreFault, stored_value},
    provider::Health,
    rng::SeededRng,
};

/// The running instances by number. A crashed instance's number is not used again.
#[derive(Debug)]
pub struct Fleet {
    world: Arc<World>,
    rng: Arc<SeededRng>,
    instances: BTreeMap<usize, Instance>,
    next_number: usize,
}

impl Fleet {
    /// Starts this many instances.
    #[must_use]
    pub fn start(world: &Arc<World>, rng: &SeededRng, instances: usize) -> Self {
        let mut fleet =
            Self { world: Arc::clone(world), rng: rng.fork(), instances: BTreeMap::new(), next_number: 0 };
        for _ in 0..instances {
            fleet.spawn_instance();
        }
        fleet
    }

    fn spawn_instance(&mut self) {
        let hour = 3_600_000;
        let skew = match self.rng.number(0..=3) {
            0 => i64::try_from(self.rng.number(0..=2 * hour)).unwrap_or(0) - 3_600_000,
            1 => i64::try_from(self.rng.number(0..=400)).unwrap_or(0) - 200,
            _ => 0,
        };
        let instance = Instance::start(&self.world, self.next_number, skew, &self.rng);
        self.world.trace.log(format_args!("{:>4} starts, its clock {skew} ms off", self.next_number));
        self.instances.insert(self.next_number, instance);
        self.next_number += 1;
    }

    /// The running instances.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// Stops all callers.
    pub fn stop_traffic(&mut self) {
        self.instances.values_mut().for_each(Instance::stop_traffic);
    }

    /// Injects faults for this long, each for a limited time; then reverts all.
    pub async fn inject_faults(&mut self, length: Duration, mean_gap: Duration) {
        let end = Instant::now() + length;
        let mut ends: Vec<(Instant, Revert)> = Vec::new();
        loop {
            let next = Instant::now() + self.rng.exponential_delay(mean_gap);
            if next >= end {
                break;
            }
            ends.sort_by_key(|(at, _)| *at);
            while ends.first().is_some_and(|(at, _)| *at <= next) {
                let (at, revert) = ends.remove(0);
                sleep_until(at).await;
                self.revert(&revert);
            }
            sleep_until(next).await;
            if let Some(revert) = self.inject().await {
                let duration = match &revert {
                    Revert::Server | Revert::Connection(_) => self.rng.millis(50..=8_000),
                    Revert::Conditions => self.rng.millis(500..=10_000),
                    Revert::Health(_) | Revert::SpawnInstance => self.rng.millis(500..=20_000),
                };
                ends.push((Instant::now() + duration, revert));
            }
        }
        sleep_until(end).await;
        for (_, revert) in ends {
            self.revert(&revert);
        }
        self.world.trace.log(format_args!("no faults any more"));
    }

    fn revert(&mut self, revert: &Revert) {
        self.world.trace.log(format_args!("revert {revert:?}"));
        match revert {
            Revert::Server => self.world.server.set_fault(None),
            Revert::Connection(number) => {
                if let Some(instance) = self.instances.get(number) {
                    instance.connection().reconnect();
                }
            }
            Revert::Conditions => self.world.server.set_conditions(NetworkConditions::perfect()),
            Revert::Health(key) => self.world.providers.set(key, Health::Healthy { failure_rate: 0.0 }),
            Revert::SpawnInstance => self.spawn_instance(),
        }
    }

    async fn inject(&mut self) -> Option<Revert> {
        let kind = self.rng.number(0..=15);
        let key = self.world.models[self.rng.index(self.world.models.len())].clone();
        let alive: Vec<usize> = self.instances.keys().copied().collect();
        let number = alive.get(self.rng.index(alive.len())).copied();
        let trace = self.world.trace.clone();
        match kind {
            0..=3 => {
                trace.log(format_args!("{key} is down"));
                self.world.providers.set(&key, Health::Down);
                Some(Revert::Health(key))
            }
            4 | 5 => {
                let failure_rate = 0.05 * f64::from(u32::try_from(self.rng.number(1..=14)).unwrap_or(1));
                trace.log(format_args!("{key} fails in {failure_rate}"));
                self.world.providers.set(&key, Health::Healthy { failure_rate });
                Some(Revert::Health(key))
            }
            6 => {
                trace.log(format_args!("{key} is rate limited"));
                self.world.providers.set(&key, Health::RateLimited);
                Some(Revert::Health(key))
            }
            7 => {
                trace.log(format_args!("{key} cannot be reached by {number:?}"));
                self.world.providers.set(&key, Health::UnreachableFrom { instance: number? });
                Some(Revert::Health(key))
            }
            8 => {
                trace.log(format_args!("{number:?} crashes"));
                self.instances.remove(&number?)?.kill();
                Some(Revert::SpawnInstance)
            }
            9 => {
                let how =
                    [StoreFault::Refusing, StoreFault::Unresponsive, StoreFault::ReadOnly][self.rng.index(3)];
                trace.log(format_args!("the store fails: {how:?}"));
                self.world.server.set_fault(Some(how));
                Some(Revert::Server)
            }
            10 => {
                let how = [StoreFault::Refusing, StoreFault::Unresponsive][self.rng.index(2)];
                trace.log(format_args!("{number:?} loses the store: {how:?}"));
                let number = number?;
                self.instances.get(&number)?.connection().inject_fault(how);
                Some(Revert::Connection(number))
            }
            11 | 12 => {
                let conditions = self.random_conditions();
                trace.log(format_args!("{conditions:?}"));
                self.world.server.set_conditions(conditions);
                Some(Revert::Conditions)
            }
            13 => self.write_externally(&key),
            _ => {
                self.send_operator_command(&key, number?).await;
                None
            }
        }
    }

    fn random_conditions(&self) -> NetworkConditions {
        let share =
            |percent: u64| f64::from(u32::try_from(self.rng.number(0..=percent)).unwrap_or(0)) / 100.0;
        NetworkConditions {
            delay: 0..=self.rng.number(1..=60),
            lost_requests: share(10),
            lost_replies: share(10),
            lost_pushes: share(50),
        }
    }

    /// What an operator may do with `redis-cli`.
    fn write_externally(&self, key: &ModelKey) -> Option<Revert> {
        let World { server, checks, trace, models, clock, .. } = &*self.world;
        let now = circuits::WallClock::now(clock).as_millis();
        match self.rng.number(0..=3) {
            0 => {
                trace.log(format_args!("FLUSHALL"));
                server.store().flush();
                models.iter().for_each(|key| checks.on_external_write(key, &Value::Absent, false));
                return None;
            }
            1 => {
                trace.log(format_args!("DEL {key}"));
                server.store().set(key, None);
            }
            2 => {
                trace.log(format_args!("SET {key} OPEN"));
                let text = format!(
                    r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#
                );
                server.store().set(key, Some(&text));
            }
            _ if now.is_multiple_of(3) && checks.previous_value(key).is_some() => {
                trace.log(format_args!("SET {key} as it was before"));
                server.store().set(key, checks.previous_value(key).as_deref());
            }
            _ => {
                trace.log(format_args!("SET {key} CLOSED"));
                server.store().set(key, Some(r#"{"state":"CLOSED","failureCount":0,"lastFailureTime":0}"#));
            }
        }
        checks.on_external_write(key, &stored_value(server, key), true);
        None
    }

    /// A manual override through an instance.
    async fn send_operator_command(&self, key: &ModelKey, number: usize) {
        let Some(instance) = self.instances.get(&number) else { return };
        let circuits = instance.circuits();
        let duration = self.rng.millis(100..=10_000);
        self.world.checks.on_operator_command(key);
        let done = match self.rng.number(0..=3) {
            0 | 1 => circuits.open(key, Some(duration), Some("drill".to_owned()), None).await,
            2 => circuits.close(key, None, None).await,
            _ => circuits.reset(key, None, None).await,
        };
        self.world.trace.log(format_args!("{number:>4} operates {key}: {done:?}"));
    }
}

/// How a fault is reverted.
#[derive(Debug)]
enum Revert {
    Server,
    Connection(usize),
    Conditions,
    Health(ModelKey),
    SpawnInstance,
}

/// Waits for this long, or until the condition holds.
pub async fn wait_for(length: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + length;
    while Instant::now() < end {
        if condition() {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    condition()
}
