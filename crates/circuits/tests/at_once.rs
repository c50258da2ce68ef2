//! A change of state is acted on at once: by others without a pause before the read (F1), and by the instance that has
//! seen the failures before the store has taken them (F3).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use breaker::{Failure, InstanceId, ModelKey, Policy, State};
use circuits::{
    Changes, Circuits, Listing, Loaded, MemoryStore, Permit, Policies, Settings, Store, StoreError,
    StoreInfo, Swap, Value, Write,
};
use fleet::rng::VirtualClock;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::{Instant, sleep};

/// One instance's way to the store: writes take this long, and reads are counted.
#[derive(Debug)]
struct SlowWrites {
    store: MemoryStore,
    is_slow: AtomicBool,
    reads: AtomicUsize,
}

/// Less than a write may take.
const WRITE_TIME: Duration = Duration::from_millis(50);

impl Store for SlowWrites {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.store.load(key)
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        self.store.load_all(known, discover)
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        async move {
            if self.is_slow.load(Ordering::SeqCst) {
                sleep(WRITE_TIME).await;
            }
            self.store.compare_and_set(key, write).await
        }
        .boxed()
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<breaker::Transition>, StoreError>> {
        self.store.history(key, most)
    }

    fn changes(&self) -> Changes {
        self.store.changes()
    }

    fn info(&self) -> StoreInfo {
        self.store.info()
    }
}

struct Fixture {
    store: MemoryStore,
    clock: VirtualClock,
    key: ModelKey,
}

impl Fixture {
    fn new() -> Self {
        let clock = VirtualClock::start();
        let store = MemoryStore::with_clock(Arc::new(clock.clone()));
        Self { store, clock, key: "openai:gpt-5".parse().unwrap() }
    }

    async fn instance(&self, name: &str) -> (Circuits, Arc<SlowWrites>) {
        self.instance_with(name, Policy { min_failure_span: Duration::ZERO, ..Policy::default() }).await
    }

    async fn instance_with(&self, name: &str, policy: Policy) -> (Circuits, Arc<SlowWrites>) {
        let settings = Settings {
            policies: Policies { default: policy, ..Policies::default() },
            clock: Arc::new(self.clock.clone()),
            ..Settings::new(InstanceId::new(name))
        };
        let store = Arc::new(SlowWrites {
            store: self.store.clone(),
            is_slow: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
        });
        let circuits = Circuits::start(Arc::clone(&store) as Arc<dyn Store>, settings);
        circuits.ready().await;
        circuits.admit(&self.key).await.unwrap().succeeded();
        circuits.wait_idle(&self.key).await;
        (circuits, store)
    }

    /// At the first poll.
    fn admit(&self, circuits: &Circuits) -> Option<Permit> {
        circuits.admit(&self.key).now_or_never().expect("it waited").ok()
    }

    fn fail(&self, circuits: &Circuits, calls: usize) {
        let permits: Vec<_> = (0..calls).map(|_| self.admit(circuits).unwrap()).collect();
        permits.into_iter().for_each(|permit| permit.failed(Failure::status(529)));
    }
}

#[tokio::test(start_paused = true)]
async fn no_pause_lies_between_a_change_of_state_and_its_read() {
    let fixture = Fixture::new();
    let (a, _) = fixture.instance("a").await;
    let (b, reads) = fixture.instance("b").await;
    for _ in 0..20 {
        // A count is read, so that a pause begins.
        fixture.fail(&a, 1);
        a.wait_idle(&fixture.key).await;
        let before = reads.reads.load(Ordering::SeqCst);
        let began = Instant::now();
        a.open(&fixture.key, None, None, None).await.unwrap();
        while fixture.admit(&b).is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(reads.reads.load(Ordering::SeqCst), before + 1, "one read for one change");
        a.close(&fixture.key, None, None).await.unwrap();
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn counts_are_read_once_in_20_ms() {
    let fixture = Fixture::new();
    let (b, reads) = fixture.instance("b").await;
    sleep(Duration::from_millis(100)).await;
    let Value::Text(text) = b.mirrored_value(&fixture.key) else { panic!() };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let before = reads.reads.load(Ordering::SeqCst);
    for _ in 0..100 {
        fixture.store.set(&fixture.key, Some(&text));
        sleep(Duration::from_millis(1)).await;
    }
    sleep(Duration::from_millis(100)).await;
    let read = reads.reads.load(Ordering::SeqCst) - before;
    assert!((5..=6).contains(&read), "{read} reads in 100 ms");
}

#[tokio::test(start_paused = true)]
async fn what_an_instance_has_seen_fail_it_refuses_before_the_store_has_taken_it() {
    let fixture = Fixture::new();
    let (a, way) = fixture.instance("a").await;
    way.is_slow.store(true, Ordering::SeqCst);
    let began = Instant::now();
    // The first failure is being written while the others come.
    fixture.fail(&a, 1);
    sleep(Duration::from_millis(10)).await;
    assert!(fixture.admit(&a).is_some(), "one failure trips nothing");
    fixture.fail(&a, 2);
    let refused = a.admit(&fixture.key).now_or_never().unwrap().unwrap_err();
    assert!(refused.to_string().starts_with("open for "), "{refused}");
    assert_eq!(began.elapsed(), Duration::from_millis(10), "at the third failure");
    // Provisionally: nothing is announced.
    assert_eq!(a.report(&fixture.key).unwrap().state, State::Closed);
    assert!(fixture.store.history(&fixture.key, 10).await.unwrap().is_empty());
    a.wait_idle(&fixture.key).await;
    assert_eq!(a.report(&fixture.key).unwrap().state, State::Open);
    assert_eq!(fixture.store.history(&fixture.key, 10).await.unwrap().len(), 1, "announced once (B11)");
    assert!(fixture.admit(&a).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_provisional_refusal_ends_when_the_store_disagrees() {
    let fixture = Fixture::new();
    let (a, way) = fixture.instance("a").await;
    let (b, _) = fixture.instance("b").await;
    fixture.fail(&a, 2);
    sleep(Duration::from_millis(200)).await;
    way.is_slow.store(true, Ordering::SeqCst);
    fixture.fail(&a, 1);
    assert!(fixture.admit(&a).is_none(), "the third failure");
    // Another's success, and its notification, come first.
    fixture.admit(&b).unwrap().succeeded();
    sleep(Duration::from_millis(1)).await;
    assert!(fixture.admit(&a).is_some(), "it has ended at once");
    a.wait_idle(&fixture.key).await;
    assert!(fixture.store.history(&fixture.key, 10).await.unwrap().is_empty());
    assert!(fixture.admit(&a).is_some());
}

#[tokio::test(start_paused = true)]
async fn unwritten_successes_count_for_the_rate() {
    let fixture = Fixture::new();
    let policy = Policy { failure_threshold: 1_000, burst_threshold: 1_000, ..Policy::default() };
    let (a, way) = fixture.instance_with("a", policy).await;
    for _ in 0..100 {
        fixture.admit(&a).unwrap().succeeded();
    }
    way.is_slow.store(true, Ordering::SeqCst);
    for _ in 0..60 {
        fixture.fail(&a, 1);
        fixture.admit(&a).expect("less than half has failed").succeeded();
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_is_acted_on_at_once() {
    let fixture = Fixture::new();
    let (a, way) = fixture.instance("a").await;
    way.is_slow.store(true, Ordering::SeqCst);
    let permit = fixture.admit(&a).unwrap();
    permit.rate_limited(Failure::status(429), Some(Duration::from_secs(30)));
    assert!(fixture.admit(&a).is_none());
}
