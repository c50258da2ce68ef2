//! What becomes of the circuits, as frames for everyone who listens: written once, however many there are.
//!
//! A change of state has a number in this process, and the last of them are kept for a listener who comes back. A number
//! means nothing to another process: who comes from there, or has missed more than is kept, misses changes of state, which
//! the histories have. The overview that every listener begins with is right in any case.

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
use circuits::{Circuits, News, Report, Watch};
use manager::Meter;
use serde::Serialize;
use tokio::{
    sync::broadcast,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use crate::{
    health::{self, Store},
    inspect::Overview,
};

/// So many changes of state are kept for listeners who come back.
const KEPT: usize = 1_000;

/// A listener may be so many frames behind. Further behind, it gets an overview in their place.
const BEHIND: usize = 256;

/// Counts that have changed are told at most so often.
const PAUSE: Duration = Duration::from_millis(250);

/// The feed of one process. Begins with its first listener.
#[derive(Debug)]
pub(crate) struct Feed {
    circuits: Circuits,
    meter: Arc<Meter>,
    /// Tells this process's numbers from another's.
    run: String,
    begun: AtomicBool,
    told: Mutex<Told>,
    frames: broadcast::Sender<Frame>,
}

#[derive(Debug, Default)]
struct Told {
    /// The number of the last change of state.
    last: u64,
    /// The last of them, by number.
    kept: VecDeque<(u64, Bytes)>,
    store: Option<Store>,
}

#[derive(Debug, Clone)]
enum Frame {
    Event(Bytes),
    /// Something was missed.
    Gap,
}

/// `event: circuit`.
#[derive(Debug, Serialize)]
struct Circuit<'a> {
    key: &'a str,
    /// `None`: it is gone.
    report: Option<&'a Report>,
    /// `None`: only its counts have changed.
    transition: Option<&'a Transition>,
}

/// Who listens.
#[derive(Debug)]
pub(crate) struct Listener {
    feed: Arc<Feed>,
    first: VecDeque<Bytes>,
    frames: broadcast::Receiver<Frame>,
}

impl Feed {
    pub(crate) fn new(circuits: Circuits, meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Self {
            circuits,
            meter,
            run: Uuid::new_v4().simple().to_string(),
            begun: AtomicBool::new(false),
            told: Mutex::default(),
            frames: broadcast::channel(BEHIND).0,
        })
    }

    /// Listens from now on, or from after the event with this id, if that can be served.
    pub(crate) fn listen(self: &Arc<Self>, last_event_id: Option<&str>) -> Listener {
        if !self.begun.swap(true, Ordering::AcqRel) {
            self.told().store = Some(health::store(&self.circuits));
            tokio::spawn(follow(Arc::downgrade(self), self.circuits.watch()));
        }
        let told = self.told();
        let frames = self.frames.subscribe();
        let missed = last_event_id.and_then(|id| self.number(id)).map(|number| told.after(number));
        let mut first: VecDeque<Bytes> = missed.unwrap_or_default();
        first.push_back(self.overview(&told));
        Listener { feed: Arc::clone(self), first, frames }
    }

    /// The number in an id of this process.
    fn number(&self, id: &str) -> Option<u64> {
        let (run, number) = id.split_once('-')?;
        if run == self.run { number.parse().ok() } else { None }
    }

    fn overview(&self, told: &Told) -> Bytes {
        let id = format!("id: {}-{}\n", self.run, told.last);
        frame("snapshot", &id, &Overview::of(&self.circuits, &self.meter))
    }

    fn tell(&self, frame: Frame) {
        // An error means that nobody listens.
        drop(self.frames.send(frame));
    }

    fn transitions(&self, key: &ModelKey, transitions: &[Transition]) {
        let report = self.circuits.report(key);
        let mut told = self.told();
        for transition in transitions {
            told.last += 1;
            let event = Circuit { key: key.as_str(), report: report.as_ref(), transition: Some(transition) };
            let event = frame("circuit", &format!("id: {}-{}\n", self.run, told.last), &event);
            let number = told.last;
            told.kept.push_back((number, event.clone()));
            if told.kept.len() > KEPT {
                told.kept.pop_front();
            }
            self.tell(Frame::Event(event));
        }
    }

    fn counts(&self, key: &ModelKey) {
        if self.frames.receiver_count() > 0 {
            let report = self.circuits.report(key);
            let event = Circuit { key: key.as_str(), report: report.as_ref(), transition: None };
            self.tell(Frame::Event(frame("circuit", "", &event)));
        }
    }

    fn store(&self) {
        let store = health::store(&self.circuits);
        let mut told = self.told();
        if told.store.as_ref() != Some(&store) {
            self.tell(Frame::Event(frame("store", "", &store)));
            told.store = Some(store);
        }
    }

    fn gap(&self) {
        let mut told = self.told();
        told.kept.clear();
        // Nobody can go on from before it.
        told.last += 1;
        self.tell(Frame::Gap);
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    /// The changes of state after this one; none, if not all of them are kept.
    fn after(&self, number: u64) -> VecDeque<Bytes> {
        let first = self.last + 1 - u64::try_from(self.kept.len()).unwrap_or(0);
        if number.saturating_add(1) < first {
            return VecDeque::new();
        }
        self.kept.iter().filter(|(kept, _)| *kept > number).map(|(_, frame)| frame.clone()).collect()
    }
}

impl Listener {
    /// Waits for the next frame; `None`: there are no more.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        if let Some(frame) = self.first.pop_front() {
            return Some(frame);
        }
        match self.frames.recv().await {
            Ok(Frame::Event(frame)) => Some(frame),
            Ok(Frame::Gap) | Err(broadcast::error::RecvError::Lagged(_)) => {
                let told = self.feed.told();
                self.frames = self.feed.frames.subscribe();
                Some(self.feed.overview(&told))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

async fn follow(feed: Weak<Feed>, mut watch: Watch) {
    let mut changed: BTreeSet<ModelKey> = BTreeSet::new();
    let mut due = Instant::now();
    loop {
        let news = tokio::select! {
            news = watch.next() => Some(news),
            () = sleep_until(due), if !changed.is_empty() => None,
        };
        let Some(feed) = feed.upgrade() else { return };
        match news {
            Some(News::Circuit { key, transitions }) if transitions.is_empty() => {
                if changed.is_empty() {
                    due = Instant::now() + PAUSE;
                }
                changed.insert(key);
            }
            Some(News::Circuit { key, transitions }) => {
                changed.remove(&key);
                feed.transitions(&key, &transitions);
            }
            Some(News::Store) => feed.store(),
            Some(News::Missed) => feed.gap(),
            None => std::mem::take(&mut changed).iter().for_each(|key| feed.counts(key)),
        }
    }
}

/// One event. JSON has no line breaks of its own.
fn frame(event: &str, id: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("event: {event}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use circuits::Policies;

    use super::*;

    async fn soon(listener: &mut Listener) -> String {
        let frame = tokio::time::timeout(Duration::from_secs(5), listener.next()).await.unwrap().unwrap();
        String::from_utf8(frame.to_vec()).unwrap()
    }

    /// Turns a circuit so often, and waits until the last of it was told.
    async fn turn(feed: &Feed, times: u64) {
        let key = "openai:gpt-5".parse().unwrap();
        let last = feed.told().last + times;
        for number in 0..times {
            if number % 2 == 0 {
                feed.circuits.open(&key, None, None).await.unwrap();
            } else {
                feed.circuits.close(&key, None).await.unwrap();
            }
        }
        while feed.told().last < last {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_slow_listener_gets_an_overview_in_place_of_what_it_missed() {
        let feed = Feed::new(Circuits::in_memory(Policies::default()), Arc::default());
        let mut slow = feed.listen(None);
        assert!(soon(&mut slow).await.starts_with("event: snapshot\n"));
        turn(&feed, 2 * BEHIND as u64).await;
        let overview = soon(&mut slow).await;
        assert!(overview.starts_with("event: snapshot\n"), "{overview}");
        let newest = feed.told().last;
        assert!(overview.contains(&format!("id: {}-{newest}\n", feed.run)), "{overview}");
        turn(&feed, 1).await;
        let next = soon(&mut slow).await;
        assert!(
            next.contains(&format!("id: {}-{}\n", feed.run, newest + 1)),
            "nothing old comes after it: {next}"
        );
    }

    #[tokio::test]
    async fn who_has_missed_more_than_is_kept_is_told_none_of_it() {
        let feed = Feed::new(Circuits::in_memory(Policies::default()), Arc::default());
        feed.listen(None);
        turn(&feed, KEPT as u64 + 10).await;
        assert_eq!(feed.told().kept.len(), KEPT);
        for (number, missed) in [(0, 0), (9, 0), (10, KEPT), (KEPT + 9, 1), (KEPT + 10, 0), (KEPT + 99, 0)] {
            let listener = feed.listen(Some(&format!("{}-{number}", feed.run)));
            assert_eq!(listener.first.len(), missed + 1, "after {number}");
        }
        let listener = feed.listen(Some(&format!("{}-{}", feed.run, u64::MAX)));
        assert_eq!(listener.first.len(), 1, "no such event");
        feed.gap();
        let listener = feed.listen(Some(&format!("{}-{}", feed.run, KEPT + 9)));
        assert_eq!(listener.first.len(), 1, "what was lost is not taken for told");
    }
}
