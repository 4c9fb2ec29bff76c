//! The slots that serve requests, and the queue before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of slots and one bounded queue: first come, first served.
#[derive(Debug)]
pub struct Slots {
    free: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

/// Counts one prediction in the system until it is dropped.
#[derive(Debug)]
pub struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A slot; dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// Error: every slot and every place in the queue is taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Slots {
    /// `concurrency` slots, and `max_waiting` places in the queue.
    pub fn new(concurrency: usize, max_waiting: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(concurrency.min(Semaphore::MAX_PERMITS))),
            waiting: Arc::new(Semaphore::new(max_waiting.min(Semaphore::MAX_PERMITS))),
            inside: Arc::default(),
        }
    }

    /// Counts a prediction that is about to ask for a slot.
    pub fn enter(&self) -> Inside {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Inside(Arc::clone(&self.inside))
    }

    /// Number in the system: predictions that hold a slot or wait for one.
    pub fn inside(&self) -> usize {
        self.inside.load(Ordering::Relaxed)
    }

    /// Waits for a slot. Dropping the future leaves the queue.
    pub async fn acquire(&self) -> Result<Slot, Full> {
        // This cannot overtake the queue: tokio gives a freed slot to the first that waits, so a
        // slot is free here only if nobody waits.
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(Slot { _permit: permit });
        }
        let _place = self.waiting.try_acquire().map_err(|_| Full)?;
        let permit = Arc::clone(&self.free).acquire_owned().await;
        // The semaphore is never closed.
        permit.map(|permit| Slot { _permit: permit }).map_err(|_closed| Full)
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn slots_are_given_in_the_order_of_the_requests() {
        let mut cx = Context::from_waker(Waker::noop());
        let slots = Slots::new(1, 2);
        let mut first = pin!(slots.acquire());
        let mut second = pin!(slots.acquire());
        let mut third = pin!(slots.acquire());
        let mut fourth = pin!(slots.acquire());

        let Poll::Ready(Ok(slot)) = first.as_mut().poll(&mut cx) else {
            panic!("a slot is free");
        };
        assert!(second.as_mut().poll(&mut cx).is_pending());
        assert!(third.as_mut().poll(&mut cx).is_pending());
        assert!(matches!(fourth.as_mut().poll(&mut cx), Poll::Ready(Err(Full))));

        drop(slot);
        // They are polled in another order, and a new request tries, too: the first in the queue gets it.
        assert!(third.as_mut().poll(&mut cx).is_pending());
        let mut fifth_request = pin!(slots.acquire());
        assert!(matches!(fifth_request.as_mut().poll(&mut cx), Poll::Ready(Err(Full))));
        assert!(second.as_mut().poll(&mut cx).is_ready());
    }

    #[test]
    fn a_request_that_stops_waiting_leaves_the_queue() {
        let mut cx = Context::from_waker(Waker::noop());
        let slots = Slots::new(1, 1);
        let mut first = pin!(slots.acquire());
        let slot = first.as_mut().poll(&mut cx);
        assert!(matches!(slot, Poll::Ready(Ok(_))));
        {
            let mut second = pin!(slots.acquire());
            assert!(second.as_mut().poll(&mut cx).is_pending());
        }
        let mut third = pin!(slots.acquire());
        assert!(third.as_mut().poll(&mut cx).is_pending(), "the place is free again");
    }
}
