//! What comes during a full read: change notifications, the store's time, an old value that is written back.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail tests")]

use std::{sync::Arc, time::Duration};

use breaker::{Failure, InstanceId, ModelKey, Policy, State, Transition, TransitionCause};
use circuits::{
    Changes, Circuits, Listing, Loaded, MemoryStore, Policies, Settings, Store, StoreError, StoreInfo, Swap,
    Write,
};
use fleet::rng::VirtualClock;
use futures_util::future::{BoxFuture, FutureExt as _};
use tokio::time::{Instant, sleep};

const HOUR_MS: i64 = 3_600_000;

/// A store whose full read takes this long.
#[derive(Debug)]
struct SlowFullRead(MemoryStore, Duration);

impl Store for SlowFullRead {
    fn load<'a>(&'a self, key: &'a ModelKey) -> BoxFuture<'a, Result<Loaded, StoreError>> {
        self.0.load(key)
    }

    fn load_all<'a>(
        &'a self,
        known: &'a [ModelKey],
        discover: bool,
    ) -> BoxFuture<'a, Result<Listing, StoreError>> {
        async move {
            let listing = self.0.load_all(known, discover).await;
            sleep(self.1).await;
            listing
        }
        .boxed()
    }

    fn compare_and_set<'a>(
        &'a self,
        key: &'a ModelKey,
        write: &'a Write,
    ) -> BoxFuture<'a, Result<Swap, StoreError>> {
        self.0.compare_and_set(key, write)
    }

    fn history<'a>(
        &'a self,
        key: &'a ModelKey,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Transition>, StoreError>> {
        self.0.history(key, most)
    }

    fn changes(&self) -> Changes {
        self.0.changes()
    }

    fn info(&self) -> StoreInfo {
        self.0.info()
    }
}

struct Fixture {
    store: MemoryStore,
    clock: VirtualClock,
}

impl Fixture {
    fn new() -> Self {
        let clock = VirtualClock::start();
        Self { store: MemoryStore::with_clock(Arc::new(clock.clone())), clock }
    }

    fn instance(&self, name: &str, skew: i64, listing: Duration) -> Circuits {
        let policy = Policy {
            failure_threshold: 1,
            min_failure_span: Duration::ZERO,
            burst_threshold: 1,
            open_jitter: 0.0,
            ..Policy::default()
        };
        let settings = Settings {
            policies: Policies { default: policy, ..Policies::default() },
            clock: Arc::new(self.clock.skewed(skew)),
            ..Settings::new(InstanceId::new(name))
        };
        Circuits::start(Arc::new(SlowFullRead(self.store.clone(), listing)), settings)
    }

    async fn history(&self, key: &ModelKey) -> Vec<Transition> {
        let mut entries = self.store.history(key, 100).await.unwrap();
        entries.reverse();
        entries
    }
}

fn key(name: &str) -> ModelKey {
    name.parse().unwrap()
}

fn unreachable_error() -> Option<StoreError> {
    Some(StoreError::Rejected("no".to_owned()))
}

async fn fail_call(circuits: &Circuits, key: &ModelKey) {
    circuits.admit(key).await.unwrap().failed(Failure::status(503));
    circuits.wait_idle(key).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_is_handled_during_a_full_read() {
    let fixture = Fixture::new();
    let a = fixture.instance("a", 0, Duration::ZERO);
    let b = fixture.instance("b", 0, Duration::from_secs(3));
    a.ready().await;
    a.admit(&key("openai:m")).await.unwrap().succeeded();
    b.ready().await;
    b.admit(&key("openai:m")).await.unwrap().succeeded();
    // The slow read of `b` begins within 19 s, and takes 3 s of every 20 s.
    for _ in 0..30 {
        sleep(Duration::from_secs(1)).await;
        let asked = Instant::now();
        a.open(&key("openai:m"), None, None, None).await.unwrap();
        testbed::wait_until("the other refuses", async || b.admit(&key("openai:m")).await.is_err()).await;
        a.close(&key("openai:m"), None, None).await.unwrap();
        testbed::wait_until("the other admits", async || b.admit(&key("openai:m")).await.is_ok()).await;
        assert!(asked.elapsed() < Duration::from_millis(200), "{:?}", asked.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn local_changes_by_a_wrong_clock_shift_whichever_response_has_the_time_first() {
    for skew in [-HOUR_MS, HOUR_MS] {
        let fixture = Fixture::new();
        fixture.store.inject_error(unreachable_error());
        let a = fixture.instance("a", skew, Duration::from_millis(50));
        sleep(Duration::from_millis(500)).await;
        fail_call(&a, &key("openai:m")).await;
        fixture.store.inject_error(None);
        sleep(Duration::from_millis(10)).await;
        fixture.store.set(&key("openai:other"), Some(r#"{"state":"CLOSED"}"#));
        sleep(Duration::from_secs(1)).await;
        let now = fixture.clock.skewed(0);
        let now = circuits::WallClock::now(&now);
        let epoch = fixture.history(&key("openai:m")).await.last().unwrap().epoch;
        assert!(epoch <= now.as_millis(), "{skew}: epoch {epoch} at {now}");
        let refusal = a.admit(&key("openai:m")).await.expect_err("it is open");
        let left = refusal.retry_in().unwrap();
        assert!(left > Duration::from_secs(2) && left < Duration::from_secs(5), "{skew}: {left:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_during_a_full_read_is_adopted_with_it() {
    let fixture = Fixture::new();
    fixture.store.inject_error(unreachable_error());
    let a = fixture.instance("a", 0, Duration::from_millis(50));
    sleep(Duration::from_millis(500)).await;
    fixture.store.inject_error(None);
    sleep(Duration::from_millis(10)).await;
    fixture.store.set(&key("openai:m"), Some(r#"{"state":"OPEN"}"#));
    sleep(Duration::from_millis(500)).await;
    assert_eq!(fixture.history(&key("openai:m")).await.len(), 1, "{:?}", a.store_status());
}

#[tokio::test(start_paused = true)]
async fn an_old_value_is_adopted_by_a_full_read_too() {
    let fixture = Fixture::new();
    let m = key("openai:m");
    let a = fixture.instance("a", 0, Duration::from_millis(50));
    a.ready().await;
    fail_call(&a, &m).await;
    let open = String::from_utf8(fixture.store.get(&m).unwrap().to_vec()).unwrap();
    a.close(&m, None, None).await.unwrap();
    fixture.store.inject_error(unreachable_error());
    sleep(Duration::from_secs(1)).await;
    fixture.store.set(&m, Some(&open));
    fixture.store.inject_error(None);
    sleep(Duration::from_secs(2)).await;
    let history = fixture.history(&m).await;
    let last = history.last().unwrap();
    assert_eq!(
        (last.from, last.to, last.reason.cause),
        (State::Closed, State::Open, TransitionCause::External)
    );
}

#[tokio::test(start_paused = true)]
async fn the_newer_override_wins_whoever_reconnects_first_to_a_store_that_lost_its_data() {
    for (slow_a, slow_b) in [(50, 500), (500, 50)] {
        let fixture = Fixture::new();
        let m = key("openai:m");
        let a = fixture.instance("a", 0, Duration::from_millis(slow_a));
        let b = fixture.instance("b", 0, Duration::from_millis(slow_b));
        a.ready().await;
        b.ready().await;
        a.open(&m, None, None, None).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        fixture.store.inject_error(unreachable_error());
        sleep(Duration::from_secs(1)).await;
        b.close(&m, None, None).await.unwrap_err();
        fixture.store.flush();
        fixture.store.inject_error(None);
        sleep(Duration::from_secs(40)).await;
        let history = fixture.history(&m).await;
        a.admit(&m).await.unwrap_or_else(|refusal| panic!("{slow_a}: {refusal}: {history:#?}"));
        b.admit(&m).await.unwrap_or_else(|refusal| panic!("{slow_a}: {refusal}: {history:#?}"));
    }
}
