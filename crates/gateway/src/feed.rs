//! The changes of circuits as frames for all subscribers: each is serialized once, for any number of them.
//!
//! Transitions are numbered in this process, and the last of them are kept to be replayed to a subscriber that
//! reconnects. The numbers mean nothing to another process: a subscriber that comes from one, or that lags behind the
//! replay buffer, misses transitions, which the histories have. The snapshot at the start of every subscription is
//! complete in any case.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use breaker::{ModelKey, Transition};
use bytes::Bytes;
use circuits::{CircuitEvent, Report, Watch};
use serde::Serialize;
use tokio::{
    sync::broadcast,
    time::{Instant, sleep, sleep_until},
};
use uuid::Uuid;

use crate::{fleet::Fleet, keys::Role, overview::Overview, store_report::StoreReport};

/// The transitions that are kept for a replay.
const REPLAY_CAPACITY: usize = 1_000;

/// The frames by which a subscriber may lag. Beyond it, a snapshot replaces them.
const CHANNEL_CAPACITY: usize = 256;

/// The shortest interval between two events of a circuit of which only counts have changed.
const COUNTS_INTERVAL: Duration = Duration::from_millis(250);

/// The interval of `event: traffic`.
const TRAFFIC_INTERVAL: Duration = Duration::from_secs(2);

/// The buckets that such an event has: the one that grows, and the one before it, which may have ended since the last event.
const TRAFFIC_BUCKETS: usize = 2;

/// The feed of one process. It starts with the first subscriber.
#[derive(Debug)]
pub(crate) struct Feed {
    fleet: Arc<Fleet>,
    /// Distinguishes the event ids of this process from those of another.
    process_id: String,
    started: AtomicBool,
    state: Mutex<FeedState>,
    frames: broadcast::Sender<Frame>,
}

/// What was published so far.
#[derive(Debug, Default)]
struct FeedState {
    /// The number of the last transition.
    last_sequence: u64,
    /// The last transitions, by number.
    replay: VecDeque<(u64, Bytes)>,
    store: Option<StoreReport>,
}

#[derive(Debug, Clone)]
enum Frame {
    Event(Bytes),
    /// Events were lost.
    Lagged,
}

/// `event: circuit`.
#[derive(Debug, Serialize)]
struct CircuitUpdate<'a> {
    key: &'a str,
    /// `None`: it was deleted.
    report: Option<&'a Report>,
    /// `None`: only counts have changed.
    transition: Option<&'a Transition>,
}

/// A subscriber's place in the feed.
#[derive(Debug)]
pub(crate) struct Subscription {
    feed: Arc<Feed>,
    /// The subscriber's.
    role: Role,
    pending: VecDeque<Bytes>,
    frames: broadcast::Receiver<Frame>,
}

impl Feed {
    pub(crate) fn new(fleet: Arc<Fleet>) -> Arc<Self> {
        Arc::new(Self {
            fleet,
            process_id: Uuid::new_v4().simple().to_string(),
            started: AtomicBool::new(false),
            state: Mutex::default(),
            frames: broadcast::channel(CHANNEL_CAPACITY).0,
        })
    }

    /// Subscribes from now on, or from after the event with this id, if it can be replayed.
    pub(crate) fn subscribe(self: &Arc<Self>, last_event_id: Option<&str>, role: Role) -> Subscription {
        if !self.started.swap(true, Ordering::AcqRel) {
            self.state().store = Some(StoreReport::new(self.fleet.circuits()));
            tokio::spawn(forward_events(Arc::downgrade(self), self.fleet.circuits().watch()));
            tokio::spawn(publish_traffic(Arc::downgrade(self)));
        }
        let state = self.state();
        let frames = self.frames.subscribe();
        let replayed =
            last_event_id.and_then(|id| self.parse_event_id(id)).map(|number| state.replay_after(number));
        let mut pending: VecDeque<Bytes> = replayed.unwrap_or_default();
        pending.push_back(self.snapshot_frame(&state, role));
        Subscription { feed: Arc::clone(self), role, pending, frames }
    }

    /// The number in an event id of this process.
    fn parse_event_id(&self, id: &str) -> Option<u64> {
        let (process_id, number) = id.split_once('-')?;
        if process_id == self.process_id { number.parse().ok() } else { None }
    }

    fn snapshot_frame(&self, state: &FeedState, role: Role) -> Bytes {
        let id = format!("id: {}-{}\n", self.process_id, state.last_sequence);
        sse_frame("snapshot", &id, &Overview::new(&self.fleet, role))
    }

    fn publish(&self, frame: Frame) {
        // An error means that there is no subscriber.
        drop(self.frames.send(frame));
    }

    fn publish_transitions(&self, key: &ModelKey, transitions: &[Transition]) {
        let report = self.fleet.circuits().report(key);
        let mut state = self.state();
        for transition in transitions {
            state.last_sequence += 1;
            let event =
                CircuitUpdate { key: key.as_str(), report: report.as_ref(), transition: Some(transition) };
            let event =
                sse_frame("circuit", &format!("id: {}-{}\n", self.process_id, state.last_sequence), &event);
            let number = state.last_sequence;
            state.replay.push_back((number, event.clone()));
            if state.replay.len() > REPLAY_CAPACITY {
                state.replay.pop_front();
            }
            self.publish(Frame::Event(event));
        }
    }

    fn publish_counts(&self, key: &ModelKey) {
        if self.frames.receiver_count() > 0 {
            let report = self.fleet.circuits().report(key);
            let event = CircuitUpdate { key: key.as_str(), report: report.as_ref(), transition: None };
            self.publish(Frame::Event(sse_frame("circuit", "", &event)));
        }
    }

    fn publish_store(&self) {
        let store = StoreReport::new(self.fleet.circuits());
        let mut state = self.state();
        if state.store.as_ref() != Some(&store) {
            self.publish(Frame::Event(sse_frame("store", "", &store)));
            state.store = Some(store);
        }
    }

    fn publish_lagged(&self) {
        let mut state = self.state();
        state.replay.clear();
        // No subscriber can resume from before the gap.
        state.last_sequence += 1;
        self.publish(Frame::Lagged);
    }

    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FeedState {
    /// The transitions after this one; none, if not all of them are kept.
    fn replay_after(&self, number: u64) -> VecDeque<Bytes> {
        let first = self.last_sequence + 1 - u64::try_from(self.replay.len()).unwrap_or(0);
        if number.saturating_add(1) < first {
            return VecDeque::new();
        }
        self.replay.iter().filter(|(kept, _)| *kept > number).map(|(_, frame)| frame.clone()).collect()
    }
}

impl Subscription {
    /// Waits for the next frame; `None`: the feed has ended.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.pending.pop_front() {
            return Some(frame);
        }
        match self.frames.recv().await {
            Ok(Frame::Event(frame)) => Some(frame),
            Ok(Frame::Lagged) | Err(broadcast::error::RecvError::Lagged(_)) => {
                let state = self.feed.state();
                self.frames = self.feed.frames.subscribe();
                Some(self.feed.snapshot_frame(&state, self.role))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

async fn forward_events(feed: Weak<Feed>, mut watch: Watch) {
    let mut changed: BTreeSet<ModelKey> = BTreeSet::new();
    let mut flush_at = Instant::now();
    loop {
        let event = tokio::select! {
            event = watch.next() => Some(event),
            () = sleep_until(flush_at), if !changed.is_empty() => None,
        };
        let Some(feed) = feed.upgrade() else { return };
        match event {
            Some(CircuitEvent::CircuitChanged { key, transitions }) if transitions.is_empty() => {
                if changed.is_empty() {
                    flush_at = Instant::now() + COUNTS_INTERVAL;
                }
                changed.insert(key);
            }
            Some(CircuitEvent::CircuitChanged { key, transitions }) => {
                changed.remove(&key);
                feed.publish_transitions(&key, &transitions);
            }
            Some(CircuitEvent::StoreChanged) => feed.publish_store(),
            Some(CircuitEvent::Lagged) => feed.publish_lagged(),
            None => std::mem::take(&mut changed).iter().for_each(|key| feed.publish_counts(key)),
        }
    }
}

/// Publishes the traffic while somebody is subscribed: computed once, for any number of subscribers.
async fn publish_traffic(feed: Weak<Feed>) {
    loop {
        sleep(TRAFFIC_INTERVAL).await;
        let Some(feed) = feed.upgrade() else { return };
        if feed.frames.receiver_count() > 0 {
            feed.fleet.refresh().await;
            let report = feed.fleet.report(TRAFFIC_BUCKETS);
            feed.publish(Frame::Event(sse_frame("traffic", "", &report)));
        }
    }
}

/// One server-sent event. Its JSON contains no line break.
fn sse_frame(event: &str, id: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use circuits::{Circuits, Policies};
    use manager::ModelManager;

    use super::*;

    fn new_feed() -> Arc<Feed> {
        let circuits = Circuits::in_memory(Policies::default());
        let manager = ModelManager::new(manager::Settings::default(), circuits).unwrap();
        Feed::new(Fleet::new(Arc::new(manager), None))
    }

    async fn any_frame(subscription: &mut Subscription) -> String {
        let frame = tokio::time::timeout(Duration::from_secs(5), subscription.next()).await.unwrap().unwrap();
        String::from_utf8(frame.to_vec()).unwrap()
    }

    /// The next frame but those that come by the clock.
    async fn next_frame(subscription: &mut Subscription) -> String {
        loop {
            let frame = any_frame(subscription).await;
            if !frame.starts_with("event: traffic\n") {
                return frame;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn traffic_is_published_while_somebody_is_subscribed() {
        let feed = new_feed();
        feed.fleet.circuits().ready().await;
        let (mut one, mut other) = (feed.subscribe(None, Role::Admin), feed.subscribe(None, Role::Caller));
        let roles = [any_frame(&mut one).await, any_frame(&mut other).await];
        assert!(roles[0].contains("\"role\":\"admin\"") && roles[1].contains("\"role\":\"caller\""));
        let began = Instant::now();
        let frame = any_frame(&mut one).await;
        assert_eq!(began.elapsed().as_secs(), TRAFFIC_INTERVAL.as_secs());
        assert!(frame.starts_with("event: traffic\ndata: {\"traffic\":{"), "{frame}");
        assert_eq!(any_frame(&mut other).await, frame, "made once for both");
        drop((one, other));
        // Nobody gets what was not made.
        sleep(TRAFFIC_INTERVAL * 10).await;
        assert_eq!(feed.frames.len(), 0);
    }

    /// Makes this many transitions of a circuit, and waits until the last is published.
    async fn make_transitions(feed: &Feed, times: u64) {
        let key = "openai:gpt-5".parse().unwrap();
        let last = feed.state().last_sequence + times;
        for number in 0..times {
            if number % 2 == 0 {
                feed.fleet.circuits().open(&key, None, None, None).await.unwrap();
            } else {
                feed.fleet.circuits().close(&key, None, None).await.unwrap();
            }
        }
        while feed.state().last_sequence < last {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_slow_subscriber_gets_a_snapshot_in_place_of_what_it_missed() {
        let feed = new_feed();
        let mut slow = feed.subscribe(None, Role::Admin);
        assert!(next_frame(&mut slow).await.starts_with("event: snapshot\n"));
        make_transitions(&feed, 2 * CHANNEL_CAPACITY as u64).await;
        let snapshot = next_frame(&mut slow).await;
        assert!(snapshot.starts_with("event: snapshot\n"), "{snapshot}");
        let newest = feed.state().last_sequence;
        assert!(snapshot.contains(&format!("id: {}-{newest}\n", feed.process_id)), "{snapshot}");
        make_transitions(&feed, 1).await;
        let next = next_frame(&mut slow).await;
        assert!(
            next.contains(&format!("id: {}-{}\n", feed.process_id, newest + 1)),
            "nothing older follows the snapshot: {next}"
        );
    }

    #[tokio::test]
    async fn a_subscriber_that_missed_more_than_is_kept_gets_no_replay() {
        let feed = new_feed();
        feed.subscribe(None, Role::Admin);
        make_transitions(&feed, REPLAY_CAPACITY as u64 + 10).await;
        assert_eq!(feed.state().replay.len(), REPLAY_CAPACITY);
        for (number, missed) in [
            (0, 0),
            (9, 0),
            (10, REPLAY_CAPACITY),
            (REPLAY_CAPACITY + 9, 1),
            (REPLAY_CAPACITY + 10, 0),
            (REPLAY_CAPACITY + 99, 0),
        ] {
            let subscription = feed.subscribe(Some(&format!("{}-{number}", feed.process_id)), Role::Admin);
            assert_eq!(subscription.pending.len(), missed + 1, "after {number}");
        }
        let subscription = feed.subscribe(Some(&format!("{}-{}", feed.process_id, u64::MAX)), Role::Admin);
        assert_eq!(subscription.pending.len(), 1, "no such event");
        feed.publish_lagged();
        let subscription =
            feed.subscribe(Some(&format!("{}-{}", feed.process_id, REPLAY_CAPACITY + 9)), Role::Admin);
        assert_eq!(subscription.pending.len(), 1, "lost events are not replayed");
    }
}
