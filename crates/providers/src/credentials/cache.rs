//! Credentials in use: fetched once, and again before they expire.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use tokio::time::Instant;

use super::error::CredentialsError;

/// So long before the end they are no longer used: a request may be on its way for some time.
const EXPIRED_BEFORE: Duration = Duration::from_secs(30);

/// New credentials are asked for no more often: some services hand out the same until shortly before their end.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// A failure to get credentials is the answer for so long, so that calls do not wait for it one by one. The clients' own retries
/// come later (C9).
const FAILURE_TTL: Duration = Duration::from_millis(500);

/// Credentials that were accepted once and are refused now are fetched again no more often than this.
const RENEW_INTERVAL: Duration = Duration::from_secs(10);

/// An account whose credentials are fetched.
pub(crate) trait Account: fmt::Debug + Send + Sync + 'static {
    type Credentials: Expiring + Send + Sync + 'static;

    /// So long before the end new ones are fetched, while calls go on with the old ones.
    const REFRESH_BEFORE: Duration;

    /// Fetches credentials from where the account has them.
    fn fetch(&self) -> impl Future<Output = Result<Self::Credentials, CredentialsError>> + Send;
}

/// Credentials that may expire.
pub(crate) trait Expiring {
    /// `None`: they do not.
    fn expires_at(&self) -> Option<SystemTime>;

    /// Whether they can stand in headers.
    fn is_usable(&self) -> bool;
}

type Fetched<C> = Result<Arc<C>, CredentialsError>;
type Fetch<C> = Shared<BoxFuture<'static, Fetched<C>>>;

/// The credentials of one account.
pub(crate) struct CredentialsCache<A: Account> {
    account: Arc<A>,
    state: Arc<Mutex<State<A::Credentials>>>,
}

struct State<C> {
    current: Option<Arc<C>>,
    /// The one that is under way.
    fetch: Option<Fetch<C>>,
    failure: Option<(Instant, CredentialsError)>,
    fetched_at: Option<Instant>,
}

impl<A: Account> CredentialsCache<A> {
    pub(crate) fn new(account: A) -> Self {
        let state = State { current: None, fetch: None, failure: None, fetched_at: None };
        Self { account: Arc::new(account), state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn account(&self) -> &A {
        &self.account
    }

    /// The credentials for a request. It waits only while there are none that are valid; one fetch is made at a time, for all
    /// who wait, and it goes on if they leave.
    pub(crate) async fn get(&self) -> Fetched<A::Credentials> {
        let fetch = {
            let mut state = self.lock();
            let now = SystemTime::now();
            let valid = state.current.clone().filter(|current| is_valid_for(&**current, EXPIRED_BEFORE, now));
            match valid {
                Some(current) => {
                    if !is_valid_for(&*current, A::REFRESH_BEFORE, now) && !state.is_fetched_recently() {
                        // In the background: the old ones are good for this call.
                        drop(self.fetch(&mut state));
                    }
                    return Ok(current);
                }
                None => match state.recent_failure() {
                    Some(error) => return Err(error),
                    None => self.fetch(&mut state),
                },
            }
        };
        fetch.await
    }

    /// The provider refuses these credentials: others are fetched for the next call, if they are not new.
    pub(crate) fn refused(&self, credentials: &Arc<A::Credentials>) {
        let mut state = self.lock();
        let is_current = state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, credentials));
        if is_current && state.fetched_at.is_some_and(|at| at.elapsed() >= RENEW_INTERVAL) {
            state.current = None;
        }
    }

    /// Starts a fetch, if none is under way. A task of its own, so that it outlives the call that needed it first.
    fn fetch(&self, state: &mut State<A::Credentials>) -> Fetch<A::Credentials> {
        if let Some(fetch) = &state.fetch {
            return fetch.clone();
        }
        let cache = self.clone();
        let task = tokio::spawn(async move {
            let result = match cache.account.fetch().await {
                Ok(credentials) if !credentials.is_usable() => Err(CredentialsError::Unusable),
                result => result.map(Arc::new),
            };
            cache.store(&result);
            result
        });
        let cache = self.clone();
        let fetch = async move {
            match task.await {
                Ok(result) => result,
                // The runtime stops, or the fetch panicked.
                Err(_) => {
                    cache.lock().fetch = None;
                    Err(CredentialsError::Interrupted)
                }
            }
        };
        let fetch = fetch.boxed().shared();
        state.fetch = Some(fetch.clone());
        fetch
    }

    fn store(&self, result: &Fetched<A::Credentials>) {
        let mut state = self.lock();
        state.fetch = None;
        match result {
            Ok(credentials) => {
                state.current = Some(Arc::clone(credentials));
                state.fetched_at = Some(Instant::now());
                state.failure = None;
            }
            Err(error) => state.failure = Some((Instant::now(), error.clone())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<A::Credentials>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> State<C> {
    fn is_fetched_recently(&self) -> bool {
        self.fetched_at.is_some_and(|at| at.elapsed() < RETRY_INTERVAL) || self.recent_failure().is_some()
    }

    fn recent_failure(&self) -> Option<CredentialsError> {
        let (at, error) = self.failure.as_ref()?;
        (at.elapsed() < FAILURE_TTL).then(|| error.clone())
    }
}

/// Whether they are valid for at least so long.
fn is_valid_for(credentials: &impl Expiring, duration: Duration, now: SystemTime) -> bool {
    credentials.expires_at().is_none_or(|end| now + duration < end)
}

impl<A: Account> Clone for CredentialsCache<A> {
    fn clone(&self) -> Self {
        Self { account: Arc::clone(&self.account), state: Arc::clone(&self.state) }
    }
}

impl<A: Account> fmt::Debug for CredentialsCache<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialsCache").field("account", &self.account).finish_non_exhaustive()
    }
}
