//! Yielding to all other tasks.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;
use tokio::task::yield_now;

/// Ends once the runtime has run every task that was ready.
///
/// [`yield_now`] alone ends as soon as it is polled again, and hyper polls a body again right after it was pending.
/// So the runtime gets a waker of its own, and only that one ends the yield.
pub(crate) async fn yield_to_runtime() {
    let mut state: Option<Arc<YieldNow>> = None;
    poll_fn(|context| {
        let state = state.get_or_insert_with(YieldNow::start);
        state.waiter.register(context.waker());
        if state.woken.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[derive(Default)]
struct YieldNow {
    woken: AtomicBool,
    waiter: AtomicWaker,
}

impl YieldNow {
    fn start() -> Arc<Self> {
        let yielded = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&yielded));
        // It is pending at its first poll, and the runtime keeps the waker.
        let _ = pin!(yield_now()).poll(&mut Context::from_waker(&waker));
        yielded
    }
}

impl Wake for YieldNow {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.waiter.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn polling_it_again_does_not_end_it() {
        let mut yielding = pin!(yield_to_runtime());
        for _ in 0..3 {
            assert!(poll_fn(|context| Poll::Ready(yielding.as_mut().poll(context).is_pending())).await);
        }
        let others_ran = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&others_ran);
        tokio::spawn(async move { other.store(true, Ordering::Release) });
        yielding.await;
        assert!(others_ran.load(Ordering::Acquire));
    }
}
