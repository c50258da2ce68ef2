//! What befalls a fleet in a run of chance.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use breaker::ModelKey;
use circuits::Value;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    dice::Dice,
    instance::{Instance, World},
    network::{Away, Weather, stored},
    provider::Health,
};

/// The living instances by their numbers. A dead one's number is not given again.
#[derive(Debug)]
pub struct Fleet {
    world: Arc<World>,
    dice: Arc<Dice>,
    instances: BTreeMap<usize, Instance>,
    born: usize,
}

impl Fleet {
    /// So many instances, born within the first while.
    #[must_use]
    pub fn start(world: &Arc<World>, dice: &Dice, instances: usize) -> Self {
        let mut fleet =
            Self { world: Arc::clone(world), dice: dice.fork(), instances: BTreeMap::new(), born: 0 };
        for _ in 0..instances {
            fleet.give_birth();
        }
        fleet
    }

    fn give_birth(&mut self) {
        let hour = 3_600_000;
        let skew = match self.dice.number(0..=3) {
            0 => i64::try_from(self.dice.number(0..=2 * hour)).unwrap_or(0) - 3_600_000,
            1 => i64::try_from(self.dice.number(0..=400)).unwrap_or(0) - 200,
            _ => 0,
        };
        let instance = Instance::start(&self.world, self.born, skew, &self.dice);
        self.world.trace.tell(format_args!("{:>4} is born, its clock {skew} ms off", self.born));
        self.instances.insert(self.born, instance);
        self.born += 1;
    }

    /// The living instances.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// Nobody calls any more.
    pub fn hush(&mut self) {
        self.instances.values_mut().for_each(Instance::hush);
    }

    /// Lets things befall the fleet for so long, each for its time; then all is well again.
    pub async fn disturb(&mut self, length: Duration, mean_gap: Duration) {
        let end = Instant::now() + length;
        let mut ends: Vec<(Instant, Undo)> = Vec::new();
        loop {
            let next = Instant::now() + self.dice.gap(mean_gap);
            if next >= end {
                break;
            }
            ends.sort_by_key(|(at, _)| *at);
            while ends.first().is_some_and(|(at, _)| *at <= next) {
                let (at, undo) = ends.remove(0);
                sleep_until(at).await;
                self.undo(&undo);
            }
            sleep_until(next).await;
            if let Some(undo) = self.befall().await {
                let lasts = match &undo {
                    Undo::Server | Undo::Line(_) => self.dice.millis(50..=8_000),
                    Undo::Weather => self.dice.millis(500..=10_000),
                    Undo::Health(_) | Undo::Birth => self.dice.millis(500..=20_000),
                };
                ends.push((Instant::now() + lasts, undo));
            }
        }
        sleep_until(end).await;
        for (_, undo) in ends {
            self.undo(&undo);
        }
        self.world.trace.tell(format_args!("all is well again"));
    }

    fn undo(&mut self, undo: &Undo) {
        self.world.trace.tell(format_args!("undo {undo:?}"));
        match undo {
            Undo::Server => self.world.server.set_away(None),
            Undo::Line(number) => {
                if let Some(instance) = self.instances.get(number) {
                    instance.line().restore();
                }
            }
            Undo::Weather => self.world.server.set_weather(Weather::fine()),
            Undo::Health(key) => self.world.providers.set(key, Health::Well { failing: 0.0 }),
            Undo::Birth => self.give_birth(),
        }
    }

    async fn befall(&mut self) -> Option<Undo> {
        let kind = self.dice.number(0..=15);
        let key = self.world.models[self.dice.index(self.world.models.len())].clone();
        let alive: Vec<usize> = self.instances.keys().copied().collect();
        let number = alive.get(self.dice.index(alive.len())).copied();
        let trace = self.world.trace.clone();
        match kind {
            0..=3 => {
                trace.tell(format_args!("{key} dies"));
                self.world.providers.set(&key, Health::Dead);
                Some(Undo::Health(key))
            }
            4 | 5 => {
                let failing = 0.05 * f64::from(u32::try_from(self.dice.number(1..=14)).unwrap_or(1));
                trace.tell(format_args!("{key} fails in {failing}"));
                self.world.providers.set(&key, Health::Well { failing });
                Some(Undo::Health(key))
            }
            6 => {
                trace.tell(format_args!("{key} limits its callers"));
                self.world.providers.set(&key, Health::Limited);
                Some(Undo::Health(key))
            }
            7 => {
                trace.tell(format_args!("{key} cannot be reached by {number:?}"));
                self.world.providers.set(&key, Health::CutOff { instance: number? });
                Some(Undo::Health(key))
            }
            8 => {
                trace.tell(format_args!("{number:?} dies"));
                self.instances.remove(&number?)?.die();
                Some(Undo::Birth)
            }
            9 => {
                let how = [Away::Refusing, Away::Silent, Away::ReadOnly][self.dice.index(3)];
                trace.tell(format_args!("the store is away: {how:?}"));
                self.world.server.set_away(Some(how));
                Some(Undo::Server)
            }
            10 => {
                let how = [Away::Refusing, Away::Silent][self.dice.index(2)];
                trace.tell(format_args!("{number:?} loses the store: {how:?}"));
                let number = number?;
                self.instances.get(&number)?.line().lose(how);
                Some(Undo::Line(number))
            }
            11 | 12 => {
                let weather = self.weather();
                trace.tell(format_args!("{weather:?}"));
                self.world.server.set_weather(weather);
                Some(Undo::Weather)
            }
            13 => self.strangers(&key),
            _ => {
                self.operate(&key, number?).await;
                None
            }
        }
    }

    fn weather(&self) -> Weather {
        let share = |most: u64| f64::from(u32::try_from(self.dice.number(0..=most)).unwrap_or(0)) / 100.0;
        Weather {
            delay: 0..=self.dice.number(1..=60),
            lost_requests: share(10),
            lost_replies: share(10),
            lost_pushes: share(50),
        }
    }

    /// What people do with `redis-cli`.
    fn strangers(&self, key: &ModelKey) -> Option<Undo> {
        let World { server, checks, trace, models, clock, .. } = &*self.world;
        let now = circuits::WallClock::now(clock).as_millis();
        match self.dice.number(0..=3) {
            0 => {
                trace.tell(format_args!("FLUSHALL"));
                server.store().flush();
                models.iter().for_each(|key| checks.stranger_wrote(key, &Value::Absent, false));
                return None;
            }
            1 => {
                trace.tell(format_args!("DEL {key}"));
                server.store().set(key, None);
            }
            2 => {
                trace.tell(format_args!("SET {key} OPEN"));
                let text = format!(
                    r#"{{"state":"OPEN","failureCount":2,"lastFailureTime":{now},"openedAt":{now}}}"#
                );
                server.store().set(key, Some(&text));
            }
            _ if now.is_multiple_of(3) && checks.earlier(key).is_some() => {
                trace.tell(format_args!("SET {key} as it was before"));
                server.store().set(key, checks.earlier(key).as_deref());
            }
            _ => {
                trace.tell(format_args!("SET {key} CLOSED"));
                server.store().set(key, Some(r#"{"state":"CLOSED","failureCount":0,"lastFailureTime":0}"#));
            }
        }
        checks.stranger_wrote(key, &stored(server, key), true);
        None
    }

    /// A person's hand, through an instance.
    async fn operate(&self, key: &ModelKey, number: usize) {
        let Some(instance) = self.instances.get(&number) else { return };
        let circuits = instance.circuits();
        let length = self.dice.millis(100..=10_000);
        self.world.checks.person_spoke(key);
        let done = match self.dice.number(0..=3) {
            0 | 1 => circuits.open(key, Some(length), Some("drill".to_owned())).await,
            2 => circuits.close(key, None).await,
            _ => circuits.reset(key, None).await,
        };
        self.world.trace.tell(format_args!("{number:>4} operates {key}: {done:?}"));
    }
}

/// What puts an end to a disturbance.
#[derive(Debug)]
enum Undo {
    Server,
    Line(usize),
    Weather,
    Health(ModelKey),
    Birth,
}

/// Lets the fleet be, in steps, for so long or until it is as it should be.
pub async fn wait_for(length: Duration, mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + length;
    while Instant::now() < end {
        if is_so() {
            return true;
        }
        sleep(Duration::from_millis(100)).await;
    }
    is_so()
}
