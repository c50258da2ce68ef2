use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{advance, pause, timeout};

use super::{FRESH_FOR, LookupError, MAX_AGE, MAX_LOOKUPS, RETRY_INTERVAL, Resolver};
use crate::cause::LocalResource;

const GOOD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// A resolver whose lookups of `hangs…` end when the sender is dropped, and its count of lookups.
fn hanging() -> (Resolver, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let resolver = Resolver::new(move |host| {
        counted.fetch_add(1, Ordering::SeqCst);
        if host.starts_with("hangs") {
            // Ends at once for all but the first, which waits for the lock.
            _ = released.lock().unwrap().recv();
            return Err(io::Error::other("Temporary failure in name resolution"));
        }
        Ok(vec![GOOD])
    });
    (resolver, release, count)
}

fn waiting_for_threads(resolver: &Resolver) -> usize {
    resolver.0.lock().running
}

#[tokio::test]
async fn a_hanging_name_takes_one_lookup_and_no_other_name_waits_for_it() {
    let (resolver, release, count) = hanging();
    let mut waiting = JoinSet::new();
    for _ in 0..600 {
        let resolver = resolver.clone();
        waiting.spawn(async move { resolver.resolve("hangs").await });
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    for number in 0..12 {
        let good = timeout(Duration::from_secs(5), resolver.resolve(&format!("good-{number}"))).await;
        assert_eq!(good.unwrap().unwrap()[..], [GOOD]);
    }
    assert_eq!(count.load(Ordering::SeqCst), 13);
    drop(release);
    while let Some(result) = waiting.join_next().await {
        let error = result.unwrap().unwrap_err();
        assert!(matches!(&error, LookupError::Unknown(_)), "{error:?}");
        assert_eq!(error.to_string(), "Temporary failure in name resolution");
    }
}

#[tokio::test]
async fn more_hanging_names_than_lookups_are_a_shortage_of_this_machine() {
    let (resolver, release, _) = hanging();
    let mut waiting = JoinSet::new();
    for number in 0..MAX_LOOKUPS {
        let resolver = resolver.clone();
        waiting.spawn(async move { resolver.resolve(&format!("hangs-{number}")).await });
    }
    while waiting_for_threads(&resolver) < MAX_LOOKUPS {
        tokio::task::yield_now().await;
    }
    let error = resolver.resolve("good").await.unwrap_err();
    assert!(matches!(error, LookupError::Local(LocalResource::Threads)), "{error:?}");
    drop(release);
    waiting.join_all().await;
    assert_eq!(resolver.resolve("good").await.unwrap()[..], [GOOD]);
}

#[tokio::test]
async fn the_last_good_addresses_serve_while_lookups_fail() {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let resolver = Resolver::new(move |_| match counted.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(vec![GOOD]),
        _ => Err(io::Error::other("gone")),
    });
    pause();
    for _ in 0..3 {
        assert_eq!(resolver.resolve("host").await.unwrap()[..], [GOOD]);
    }
    assert_eq!(count.load(Ordering::SeqCst), 1, "fresh addresses are not looked up again");
    // The threads of lookups have the real clock.
    advance(2 * FRESH_FOR).await;
    for _ in 0..3 {
        assert_eq!(resolver.resolve("host").await.unwrap()[..], [GOOD]);
    }
    // The lookup is made meanwhile, on its thread.
    let start = std::time::Instant::now();
    while count.load(Ordering::SeqCst) < 2 {
        assert!(start.elapsed() < Duration::from_secs(5), "no lookup");
        std::thread::yield_now();
    }
    assert_eq!(resolver.resolve("host").await.unwrap()[..], [GOOD], "although the lookup has failed");
}

/// Addresses from before a long pause may be another's: a quick lookup is waited for, a slow one is not.
#[tokio::test]
async fn very_old_addresses_serve_only_if_the_lookup_takes_long() {
    const MOVED: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    let (release, released) = mpsc::channel::<()>();
    let (released, count) = (Mutex::new(released), AtomicUsize::new(0));
    let resolver = Resolver::new(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Ok(vec![GOOD]),
        1 => Ok(vec![MOVED]),
        _ => {
            _ = released.lock().unwrap().recv();
            Err(io::Error::other("Temporary failure in name resolution"))
        }
    });
    assert_eq!(resolver.resolve("host").await.unwrap()[..], [GOOD]);
    pause();
    advance(MAX_AGE + Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(resolver.resolve("host").await.unwrap()[..], [MOVED]);
    pause();
    advance(MAX_AGE + Duration::from_secs(1)).await;
    assert_eq!(resolver.resolve("host").await.unwrap()[..], [MOVED]);
    drop(release);
}

#[tokio::test]
async fn a_lookup_that_panics_is_over() {
    let count = AtomicUsize::new(0);
    let resolver = Resolver::new(move |_| {
        assert!(count.fetch_add(1, Ordering::SeqCst) > 0, "the first one panics");
        Ok(vec![GOOD])
    });
    assert!(resolver.resolve("host").await.is_err());
    assert_eq!(waiting_for_threads(&resolver), 0);
    pause();
    advance(RETRY_INTERVAL * 2).await;
    tokio::time::resume();
    assert_eq!(resolver.resolve("host").await.unwrap()[..], [GOOD]);
}
