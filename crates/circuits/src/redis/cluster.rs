//! A Redis Cluster: a line to every master, and which of them has a key.
//!
//! Only the master that owns a slot tells of changes to its keys, so each has ears of its own. The nodes are asked
//! again and again who owns what; whenever that changes, everything is to be read.
//!
//! It counts as one store, at hand only while every master is: while one is missing each instance goes on with what it
//! sees, as it does without any Redis (F3).

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ::redis::{ErrorKind, FromRedisValue, RedisError, ServerErrorKind, aio::ConnectionLike};
use arc_swap::ArcSwap;
use futures_util::{StreamExt as _, future::join_all, stream::FuturesUnordered};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    RedisNode,
    connection::{Connection, Sent},
    feeds::{Feeds, Hear},
    line::{CONNECT, Destination, KEEP_ALIVE, KeptLine, Line, connection_config, read_error},
    script::Call,
    slot::SLOTS,
    slots_view::{self, Answer, SlotsView},
};
use crate::store::{Change, StoreError};

/// The nodes are asked who owns what so often, and at once when something points to a change.
const LOOK: Duration = KEEP_ALIVE;

/// They are not asked again sooner than so, however much points to a change.
const PAUSE: Duration = Duration::from_millis(20);

/// A call follows so many redirections.
const TRIES: usize = 6;

/// A call waits so long for a new master's connection, and so between two tries while its slot is moved.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(10));

/// A Redis Cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    seeds: Vec<RedisNode>,
    sent: Arc<Sent>,
    map: ArcSwap<Map>,
    /// Why no node says who owns what; `None`: one does, or none was asked yet.
    blind: Mutex<Option<StoreError>>,
    word: Arc<Word>,
    /// Rings when the nodes were asked and their lines looked at.
    looked: Notify,
}

/// Who owns what, and the line to each.
#[derive(Debug, Default)]
struct Map {
    view: SlotsView,
    /// In the order of the view's masters.
    lines: Vec<Arc<KeptLine>>,
}

/// What lines have to say.
#[derive(Debug, Default)]
struct Word {
    feeds: Feeds,
    /// Anything may have changed.
    everything: AtomicBool,
    /// Rings when the nodes should be asked.
    bell: Notify,
}

impl Hear for Word {
    fn hear(&self, change: Change) {
        match change {
            Change::Key(_) => return self.feeds.hear(change),
            Change::Everything => self.everything.store(true, Ordering::Release),
            Change::Lost(_) => {}
        }
        self.bell.notify_one();
    }
}

enum Standing {
    Whole,
    /// A line is being connected for the first time.
    Pending,
    Missing(StoreError),
}

impl Cluster {
    pub(super) fn new(seeds: Vec<RedisNode>, sent: Arc<Sent>) -> Self {
        Self {
            seeds,
            sent,
            map: ArcSwap::default(),
            blind: Mutex::default(),
            word: Arc::default(),
            looked: Notify::new(),
        }
    }

    pub(super) fn feed(&self) -> crate::store::Changes {
        self.word.feeds.add(|| matches!(self.standing(), Standing::Whole))
    }

    /// The connections to all masters, if all are there.
    pub(super) fn every_master(&self) -> Result<Vec<Connection>, StoreError> {
        let map = self.map.load();
        if map.lines.is_empty() {
            return Err(self.why_blind());
        }
        map.lines.iter().map(|kept| kept.line.commands()).collect()
    }

    /// Runs a command at the owner of a slot, wherever it has moved to.
    pub(super) async fn call<T: FromRedisValue>(&self, slot: usize, call: &Call) -> Result<T, StoreError> {
        let mut redirected: Option<(Arc<Line>, bool)> = None;
        let mut last_error = None;
        for _ in 0..TRIES {
            let (line, asking) = match redirected.take() {
                Some(redirected) => redirected,
                None => (self.owner(slot)?, false),
            };
            let connected = self.looked.notified();
            if line.is_new() {
                let _ = timeout(WAIT.0, connected).await;
            }
            let error = match call.send(&mut line.commands()?, asking).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Server(kind @ (ServerErrorKind::Moved | ServerErrorKind::Ask)) => {
                    let looked = self.looked.notified();
                    self.word.bell.notify_one();
                    redirected = self.line_to(&error).map(|line| (line, kind == ServerErrorKind::Ask));
                    if redirected.is_none() {
                        // To a node that is no known master: the next look finds it.
                        let _ = timeout(WAIT.0, looked).await;
                    }
                }
                // A circuit and its history are on their way to another node.
                ErrorKind::Server(ServerErrorKind::TryAgain) => sleep(WAIT.1).await,
                _ => {
                    self.word.bell.notify_one();
                    return Err(read_error(&error));
                }
            }
            last_error = Some(error);
        }
        Err(last_error.map_or_else(|| self.why_blind(), |error| read_error(&error)))
    }

    fn owner(&self, slot: usize) -> Result<Arc<Line>, StoreError> {
        let map = self.map.load();
        let owner = map.view.owner(slot).and_then(|owner| map.lines.get(owner));
        owner.map(|kept| Arc::clone(&kept.line)).ok_or_else(|| self.why_blind())
    }

    /// The line to where an answer sends us on.
    fn line_to(&self, error: &RedisError) -> Option<Arc<Line>> {
        let (host, port) = error.redirect_node()?.0.rsplit_once(':')?;
        let (host, port) = (host.trim_matches(['[', ']']), port.parse().ok()?);
        let map = self.map.load();
        let position = map.view.masters.iter().position(|node| node.host_and_port() == Some((host, port)))?;
        Some(Arc::clone(&map.lines.get(position)?.line))
    }

    fn why_blind(&self) -> StoreError {
        let blind = self.blind.lock().unwrap_or_else(PoisonError::into_inner).clone();
        blind.unwrap_or_else(|| StoreError::Unreachable("the Cluster was not asked yet".to_owned()))
    }

    /// Follows the Cluster for as long as it is polled.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut was_whole = None;
        let mut owes_everything = false;
        loop {
            owes_everything |= self.look_again().await;
            owes_everything |= self.word.everything.swap(false, Ordering::AcqRel);
            match self.standing() {
                Standing::Whole => {
                    if std::mem::take(&mut owes_everything) || was_whole != Some(true) {
                        self.word.feeds.hear(Change::Everything);
                    }
                    was_whole = Some(true);
                }
                Standing::Missing(error) => {
                    if was_whole != Some(false) {
                        self.word.feeds.hear(Change::Lost(error));
                    }
                    was_whole = Some(false);
                }
                Standing::Pending => {}
            }
            self.looked.notify_waiters();
            sleep(PAUSE).await;
            let _ = timeout(LOOK, self.word.bell.notified()).await;
        }
    }

    /// Asks who owns what; whether that has changed.
    async fn look_again(&self) -> bool {
        let view = match self.look().await {
            Ok(view) => view,
            Err(error) => {
                *self.blind.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                return false;
            }
        };
        *self.blind.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let old = self.map.load_full();
        if old.view.says_the_same(&view) {
            return false;
        }
        let line = |node: &RedisNode| {
            let same = |master: &RedisNode| master.host_and_port() == node.host_and_port();
            let known = old.view.masters.iter().position(same).and_then(|position| old.lines.get(position));
            known.cloned().unwrap_or_else(|| {
                let listener: Arc<dyn Hear> = Arc::<Word>::clone(&self.word);
                Arc::new(KeptLine::start(Destination::Server(node.clone()), listener, Arc::clone(&self.sent)))
            })
        };
        let lines = view.masters.iter().map(line).collect();
        self.map.store(Arc::new(Map { view, lines }));
        true
    }

    /// Asks all masters that are connected; if there is none, every node that was ever named.
    async fn look(&self) -> Result<SlotsView, StoreError> {
        let map = self.map.load_full();
        let connected = map.view.masters.iter().zip(&map.lines).filter_map(|(node, kept)| {
            kept.line.commands().ok().map(|connection| (node.clone(), connection))
        });
        let answers = join_all(connected.map(|(node, connection)| ask(node, connection))).await;
        let mut view = SlotsView::default();
        for (node, answer) in answers.into_iter().flatten() {
            view.add(&node, &answer);
        }
        if view.masters.is_empty() {
            let known = map.view.masters.iter().chain(&map.view.replicas).chain(&self.seeds);
            view = survey(known.cloned().collect()).await?;
        }
        Ok(view.finish())
    }

    fn standing(&self) -> Standing {
        let map = self.map.load();
        let covered = map.view.covered();
        let missing = map.lines.iter().find_map(|kept| match kept.line.commands() {
            Err(error) if !kept.line.is_new() => Some(error),
            _ => None,
        });
        let blind = self.blind.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (missing, blind) {
            (Some(error), _) => Standing::Missing(error),
            (None, Some(error)) if map.lines.is_empty() => Standing::Missing(error),
            _ if map.lines.is_empty() || map.lines.iter().any(|kept| kept.line.is_new()) => Standing::Pending,
            _ if covered < SLOTS => {
                let found = format!("{} of the Cluster's {SLOTS} slots have no master", SLOTS - covered);
                Standing::Missing(StoreError::Refused(found))
            }
            _ => Standing::Whole,
        }
    }
}

async fn ask(
    node: RedisNode,
    mut connection: impl ConnectionLike,
) -> Result<(RedisNode, Answer), StoreError> {
    match timeout(KEEP_ALIVE, slots_view::ask(&mut connection)).await {
        Ok(Ok(answer)) => Ok((node, answer)),
        Ok(Err(error)) => Err(read_error(&error)),
        Err(_) => Err(StoreError::Silent(KEEP_ALIVE)),
    }
}

/// Asks these nodes by connections of their own; the first that knows of slots will do.
async fn survey(nodes: Vec<RedisNode>) -> Result<SlotsView, StoreError> {
    let mut answers: FuturesUnordered<_> = nodes.into_iter().map(knock).collect();
    let mut error = StoreError::Unreachable("no node is known".to_owned());
    while let Some(answer) = answers.next().await {
        match answer {
            Ok((node, answer)) => {
                let mut view = SlotsView::default();
                view.add(&node, &answer);
                if !view.masters.is_empty() {
                    return Ok(view);
                }
                error = StoreError::Refused(format!("{node} knows of no slots: the Cluster is not made yet"));
            }
            Err(wrong) => error = wrong,
        }
    }
    Err(error)
}

async fn knock(node: RedisNode) -> Result<(RedisNode, Answer), StoreError> {
    let connect = async {
        let client = node.plain_client()?;
        client.get_multiplexed_async_connection_with_config(&connection_config()).await
    };
    match timeout(CONNECT, connect).await {
        Ok(Ok(connection)) => ask(node, connection).await,
        Ok(Err(error)) => Err(read_error(&error)),
        Err(_) => Err(StoreError::Silent(CONNECT)),
    }
}

/// What a Cluster is made of.
#[derive(Debug, Clone)]
pub struct ClusterSurvey {
    /// Who owns slots.
    pub masters: Vec<RedisNode>,
    /// Who stands by.
    pub replicas: Vec<RedisNode>,
    /// How many of the slots have an owner.
    pub covered: usize,
}

impl ClusterSurvey {
    /// As many slots as every Cluster has.
    pub const SLOTS: usize = SLOTS;

    /// Asks these nodes; the first that answers will do.
    ///
    /// # Errors
    /// None does, or none is a node of a Cluster.
    pub async fn make(seeds: &[RedisNode]) -> Result<Self, StoreError> {
        let view = survey(seeds.to_vec()).await?.finish();
        Ok(Self { covered: view.covered(), masters: view.masters, replicas: view.replicas })
    }
}
