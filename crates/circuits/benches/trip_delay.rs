//! How soon a trip is acted on: by another instance (F1), and by the same one while Redis hangs (F3). Real instances on a
//! real `redis-server`, a provider that dies, 200 calls a second. `bench/trip-delay` runs it.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot be set up ends")]
#![expect(clippy::print_stdout, reason = "its result")]
#![expect(clippy::disallowed_methods, reason = "it observes from threads of its own")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use breaker::{Failure, InstanceId, ModelKey};
use circuits::{Circuits, RedisStore, Settings};
use futures_util::{FutureExt as _, future::join_all};
use testbed::RedisServer;
use tokio::time::{interval, sleep};

/// Calls a second, of all instances together.
const CALLS_PER_SECOND: u32 = 200;

/// What the provider takes for an answer.
const ANSWER_TIME: Duration = Duration::from_millis(20);

/// Of ten calls so many fail in an outage that is not total, so that counts are written and read all the time.
const PARTIAL_FAILURES: usize = 7;

/// How long it is well before it dies.
const HEALTHY_TIME: Duration = Duration::from_millis(200);

/// An outage lasts this long: every instance refuses within it.
const OUTAGE_TIME: Duration = Duration::from_secs(1);

/// How often it is asked whether an instance refuses by now.
const LOOK_INTERVAL: Duration = Duration::from_micros(50);

/// `trip_delay [trips] [instances]`; what `cargo bench` adds is ignored.
fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse().ok());
    let (trips, instances) = (numbers.next().unwrap_or(50), numbers.next().unwrap_or(2));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let redis = RedisServer::start().await;
        let fleet = start(&redis, instances).await;
        for (kind, failing) in [("all calls fail", 10), ("7 of 10 calls fail", PARTIAL_FAILURES)] {
            let (mut delays, before) = (Vec::new(), commands(&fleet));
            for number in 0..trips {
                let outage = Outage::of_model(&fleet, &format!("{failing}-{number}")).await;
                outage.begin(failing);
                sleep(OUTAGE_TIME).await;
                delays.extend(outage.end().delays_to_others());
            }
            print(&format!("{kind}: from the first refusal to that of another instance"), &mut delays);
            let cost = (commands(&fleet) - before) as f64 / (trips * instances) as f64;
            println!("{kind}: {cost:.1} commands of each instance for each outage");
        }
        let mut delays = Vec::new();
        for number in 0..trips {
            let outage = Outage::of_model(&fleet[..1], &format!("hanging-{number}")).await;
            redis.pause();
            outage.begin(10);
            sleep(OUTAGE_TIME).await;
            redis.resume();
            delays.extend(outage.end().delay_to_itself());
            sleep(OUTAGE_TIME).await;
        }
        print("Redis hangs: from the deciding failure to the same instance's first refusal", &mut delays);
    });
}

async fn start(redis: &RedisServer, instances: usize) -> Vec<Circuits> {
    let start = |number| async move {
        let store = RedisStore::start(redis.url().parse().unwrap());
        store.wait_connected().await.unwrap();
        let circuits =
            Circuits::start(Arc::new(store), Settings::new(InstanceId::new(&format!("i-{number}"))));
        circuits.ready().await;
        circuits
    };
    join_all((0..instances).map(start)).await
}

fn commands(fleet: &[Circuits]) -> u64 {
    let of = |circuits: &Circuits| {
        let counts = circuits.store_counts().commands;
        counts
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("evalsha"))
            .map(|(_, count)| count)
            .sum::<u64>()
    };
    fleet.iter().map(of).sum()
}

fn print(what: &str, delays: &mut [Duration]) {
    delays.sort_unstable();
    let at = |percent: usize| delays.get((delays.len() * percent / 100).min(delays.len().saturating_sub(1)));
    let ms = |delay: Option<&Duration>| delay.map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3);
    let (p50, p99, most) = (ms(at(50)), ms(at(99)), ms(delays.last()));
    println!("{what}: p50 {p50:.2} ms, p99 {p99:.2} ms, at most {most:.2} ms ({} measured)", delays.len());
}

/// A model that dies while every instance calls it.
struct Outage {
    key: ModelKey,
    /// Of ten calls so many fail.
    failing: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    failed_at: Arc<Mutex<Vec<Instant>>>,
    callers: Vec<tokio::task::JoinHandle<()>>,
    observers: Vec<std::thread::JoinHandle<Option<Instant>>>,
}

impl Outage {
    async fn of_model(fleet: &[Circuits], name: &str) -> Self {
        let key: ModelKey = format!("sim:model-{name}").parse().unwrap();
        let (failing, is_over, failed_at) = (Arc::default(), Arc::default(), Arc::default());
        let mut outage =
            Self { key, failing, is_over, failed_at, callers: Vec::new(), observers: Vec::new() };
        for circuits in fleet {
            circuits.admit(&outage.key).await.expect("it is closed").succeeded();
        }
        let step = Duration::from_secs(1) / CALLS_PER_SECOND;
        let period = step * u32::try_from(fleet.len()).unwrap();
        for (circuits, offset) in fleet.iter().zip(0..) {
            let call = outage.call(circuits);
            outage.callers.push(tokio::spawn(async move {
                sleep(step * offset).await;
                let mut beat = interval(period);
                loop {
                    beat.tick().await;
                    tokio::spawn(call());
                }
            }));
            outage.observers.push(outage.observe(circuits.clone()));
        }
        sleep(HEALTHY_TIME).await;
        outage
    }

    fn begin(&self, failing: usize) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn call(&self, circuits: &Circuits) -> impl Fn() -> futures_util::future::BoxFuture<'static, ()> + use<> {
        let (circuits, key) = (circuits.clone(), self.key.clone());
        let (failing, failed_at) = (Arc::clone(&self.failing), Arc::clone(&self.failed_at));
        let calls = Arc::<AtomicUsize>::default();
        move || {
            let (circuits, key) = (circuits.clone(), key.clone());
            let failed_at = Arc::clone(&failed_at);
            let fails = calls.fetch_add(3, Ordering::SeqCst) % 10 < failing.load(Ordering::SeqCst);
            async move {
                let Ok(permit) = circuits.admit(&key).await else { return };
                sleep(ANSWER_TIME).await;
                if fails {
                    permit.failed(Failure::status(529));
                    failed_at.lock().unwrap().push(Instant::now());
                } else {
                    permit.succeeded();
                    failed_at.lock().unwrap().clear();
                }
            }
            .boxed()
        }
    }

    /// The moment of an instance's first refusal. On a thread of its own: timers are too coarse.
    fn observe(&self, circuits: Circuits) -> std::thread::JoinHandle<Option<Instant>> {
        let (key, is_over) = (self.key.clone(), Arc::clone(&self.is_over));
        std::thread::spawn(move || {
            while !is_over.load(Ordering::SeqCst) {
                if let Some(Err(_)) = circuits.admit(&key).now_or_never() {
                    return Some(Instant::now());
                }
                std::thread::sleep(LOOK_INTERVAL);
            }
            None
        })
    }

    fn end(self) -> Observed {
        self.is_over.store(true, Ordering::SeqCst);
        self.callers.iter().for_each(tokio::task::JoinHandle::abort);
        let refusals = self.observers.into_iter().filter_map(|observer| observer.join().ok().flatten());
        let mut refused_at: Vec<Instant> = refusals.collect();
        refused_at.sort_unstable();
        let failed_at = self.failed_at.lock().unwrap().clone();
        Observed { refused_at, failed_at }
    }
}

struct Observed {
    /// The first refusals of each instance, soonest first.
    refused_at: Vec<Instant>,
    failed_at: Vec<Instant>,
}

impl Observed {
    fn delays_to_others(&self) -> Vec<Duration> {
        let Some((first, others)) = self.refused_at.split_first() else { return Vec::new() };
        others.iter().map(|other| *other - *first).collect()
    }

    /// Since the failure that reached the burst threshold.
    fn delay_to_itself(&self) -> Option<Duration> {
        let deciding = self.failed_at.get(9)?;
        Some(self.refused_at.first()?.saturating_duration_since(*deciding))
    }
}
