//! Looks up hosts, each at most once at a time, on threads of its own.
//!
//! The system's resolver blocks, for half a minute where a name server hangs. On the runtime's threads for blocking work a
//! busy name whose server hangs would take all of them, and no other provider could be reached (C8). So a name has one
//! lookup at a time, which all who need it share, and while one is made, the last good addresses serve.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _, UdpSocket};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::cause::LocalResource;

/// How long addresses are used without another lookup.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// Addresses that are older than this may be another's by now: the lookup is waited for, if it does not take long.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// How long it is waited for then.
const OLD_ADDRESSES_WAIT: Duration = Duration::from_millis(250);

/// How long to wait after a failed lookup before the next one, where there are good addresses.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The most lookups at a time. A name has one at most, and there are as many names as providers.
const MAX_LOOKUPS: usize = 64;

/// Enough for any resolver.
const STACK_BYTES: usize = 512 * 1024;

/// The addresses of a host.
pub(crate) type Addresses = Arc<[IpAddr]>;

/// Why a host has no addresses.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LookupError {
    #[error("{0}")]
    Unknown(Arc<str>),
    #[error("out of {0}")]
    Local(LocalResource),
}

type LookupFn = dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync;
type LookupResult = Result<Addresses, LookupError>;
type Lookup = Result<watch::Receiver<Option<LookupResult>>, LookupError>;

/// What is known of a host when it is asked for.
enum Known {
    Good(Addresses),
    /// Good ones, but old; and the lookup that is made.
    Old(Addresses, Lookup),
    Nothing(Lookup),
}

/// Looks up hosts. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Resolver(Arc<Shared>);

struct Shared {
    look_up: Box<LookupFn>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hosts: HashMap<Box<str>, Host>,
    running: usize,
}

/// What is known of a host.
#[derive(Default)]
struct Host {
    good: Option<Addresses>,
    /// When those were looked up.
    good_since: Option<Instant>,
    /// When the last lookup ended well or badly, and until when no other one is needed.
    fresh_until: Option<Instant>,
    lookup: Option<watch::Receiver<Option<LookupResult>>>,
}

impl Resolver {
    /// The system's, one for all providers.
    pub(crate) fn system() -> Self {
        static SYSTEM: LazyLock<Resolver> = LazyLock::new(|| Resolver::new(look_up));
        SYSTEM.clone()
    }

    /// One that looks up with this function, which may block.
    pub(crate) fn new(look_up: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { look_up: Box::new(look_up), state: Mutex::default() }))
    }

    /// The addresses of a host. The last good ones are returned at once, while they are looked up again if they are not
    /// fresh; very old ones only if the lookup takes long or fails.
    pub(crate) async fn resolve(&self, host: &str) -> LookupResult {
        match self.cached(host) {
            Known::Good(good) => Ok(good),
            Known::Old(good, lookup) => {
                let found = timeout(OLD_ADDRESSES_WAIT, result_of(lookup)).await;
                Ok(found.ok().and_then(Result::ok).unwrap_or(good))
            }
            Known::Nothing(lookup) => result_of(lookup).await,
        }
    }

    fn cached(&self, host: &str) -> Known {
        let mut state = self.0.lock();
        let known = state.hosts.get(host);
        let good = known.and_then(|host| host.good.clone());
        let now = Instant::now();
        let is_fresh = known.is_some_and(|host| host.fresh_until.is_some_and(|until| now < until));
        let is_old = known.is_some_and(|host| host.good_since.is_some_and(|since| now >= since + MAX_AGE));
        let running = known.and_then(|host| host.lookup.clone());
        match good {
            Some(good) if is_fresh => Known::Good(good),
            good => {
                let lookup = running.map_or_else(|| self.start(host, &mut state), Ok);
                match good {
                    Some(good) if is_old => Known::Old(good, lookup),
                    Some(good) => Known::Good(good),
                    None => Known::Nothing(lookup),
                }
            }
        }
    }

    fn start(&self, host: &str, state: &mut State) -> Lookup {
        if state.running >= MAX_LOOKUPS {
            return Err(LookupError::Local(LocalResource::Threads));
        }
        let (sender, receiver) = watch::channel(None);
        let (shared, name) = (Arc::clone(&self.0), Box::<str>::from(host));
        let run = move || {
            // Without a result the host would have no other lookup.
            let result = panic::catch_unwind(AssertUnwindSafe(|| shared.look_up(&name)));
            let result =
                result.unwrap_or_else(|_| Err(LookupError::Unknown("the lookup was aborted".into())));
            shared.on_result(&name, &result);
            // Nobody may wait for it any more.
            _ = sender.send(Some(result));
        };
        let thread = thread::Builder::new().name("lookup".to_owned()).stack_size(STACK_BYTES).spawn(run);
        thread.map_err(|_| LookupError::Local(LocalResource::Threads))?;
        state.running += 1;
        state.hosts.entry(host.into()).or_default().lookup = Some(receiver.clone());
        Ok(receiver)
    }
}

async fn result_of(lookup: Lookup) -> LookupResult {
    let mut lookup = lookup?;
    let result = lookup.wait_for(Option::is_some).await;
    match result.map(|result| result.clone()) {
        Ok(Some(result)) => result,
        Ok(None) | Err(_) => Err(LookupError::Unknown("the lookup was aborted".into())),
    }
}

impl Shared {
    /// Makes a lookup. The system reports most shortages as an unknown host, so whether this machine lacks what a lookup
    /// needs is tried out.
    fn look_up(&self, host: &str) -> LookupResult {
        if let Some(resource) = shortage() {
            return Err(LookupError::Local(resource));
        }
        let error = match (self.look_up)(host) {
            Ok(addresses) if addresses.is_empty() => "it has no addresses".into(),
            Ok(addresses) => return Ok(addresses.into()),
            Err(error) => match LocalResource::of(&error).or_else(shortage) {
                Some(resource) => return Err(LookupError::Local(resource)),
                None => error.to_string().into(),
            },
        };
        Err(LookupError::Unknown(error))
    }

    fn on_result(&self, host: &str, result: &LookupResult) {
        let mut state = self.lock();
        state.running -= 1;
        let Some(host) = state.hosts.get_mut(host) else { return };
        host.lookup = None;
        let fresh_for = if result.is_ok() { FRESH_FOR } else { RETRY_INTERVAL };
        host.fresh_until = Some(Instant::now() + fresh_for);
        if let Ok(addresses) = result {
            host.good = Some(Arc::clone(addresses));
            host.good_since = Some(Instant::now());
        }
    }

    /// A panic elsewhere leaves the state consistent.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// What this machine lacks to ask a name server.
fn shortage() -> Option<LocalResource> {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).err().and_then(|error| LocalResource::of(&error))
}

#[cfg(test)]
mod tests;
