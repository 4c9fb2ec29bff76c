//! One driver at a time in a namespace: drivers share a Lease that the manifests create.
//!
//! The algorithm is that of client-go's leader election. No clocks of two machines are compared: a Lease has
//! expired if this process has seen no change of it for its whole duration. A holder stops by itself before
//! that, if it cannot renew the Lease.

mod contender;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use self::contender::{Attempt, Contender, DURATION, subject};
use super::connection::Cluster;
use crate::exit::{Error, ExitCode, Result};
use crate::objects::JOB;
use crate::wait::{Condition, Tell, Telling, poll};

/// A holder that has not renewed the Lease for this long stops. It is shorter than the duration, so that the
/// holder knows before another driver may take the Lease.
const RENEW_WITHIN: Duration = Duration::from_secs(10);
/// How often the holder renews the Lease; up to a fifth longer, so that drivers do not keep in step.
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How long one attempt may take. A single call that hangs must not use up the time for the others.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(4);
/// How long a new driver tries to take the Lease, longer than it takes to expire.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(20);
/// How long releasing may take. If the API server is gone, the Lease expires by itself.
const RELEASE_WITHIN: Duration = Duration::from_secs(3);

/// After it has lost the Lease, a driver may act for this long without asking: nobody can have taken it yet.
const ACTS_ON: Duration = Duration::from_secs(4);

/// The right to scale and load, held and renewed in the background until [`Lease::release`]. Clones share it.
#[derive(Clone, Debug)]
pub struct Lease {
    cluster: Cluster,
    holder: String,
    term: Arc<Mutex<Term>>,
}

/// The time from taking or regaining the Lease until it is lost.
#[derive(Debug)]
struct Term {
    renewing: JoinHandle<()>,
    lost: CancellationToken,
    /// How it was lost.
    loss: Arc<OnceLock<Loss>>,
}

/// How a Lease was lost.
#[derive(Debug)]
struct Loss {
    at: Instant,
    /// Whether another driver has it; else it could not be renewed.
    is_taken: bool,
    why: String,
}

impl Term {
    /// Renews the Lease in the background.
    fn begin(contender: Contender, renewed: Instant, lost: CancellationToken) -> Self {
        let loss = Arc::new(OnceLock::new());
        let (told, cancelled) = (loss.clone(), lost.clone());
        let renewing = tokio::spawn(async move {
            let loss = renew_until_lost(contender, renewed).await;
            let _ = told.set(loss);
            cancelled.cancel();
        });
        Self { renewing, lost, loss }
    }
}

impl Lease {
    /// Takes the Lease for `holder`, a name that no other process has. If the present holder's pod has ended or
    /// its Lease has expired, this driver takes its place; `tell` hears of a wait for that. `lost` is cancelled when another driver has taken the
    /// Lease, and when it could not be renewed for 10 s. The holder must then stop what it does.
    ///
    /// # Errors
    /// Exit code 3: another driver holds the Lease, or it does not exist; 4: the API server does not answer.
    pub async fn acquire(
        cluster: &Cluster,
        holder: &str,
        lost: CancellationToken,
        tell: &Tell<'_>,
    ) -> Result<Self> {
        let mut telling = Telling::new(tell);
        let mut contender = Contender::new(cluster, holder);
        let begun = Instant::now();
        let renewed = loop {
            let attempted_at = Instant::now();
            let obstacle = match timeout(ATTEMPT_WITHIN, contender.take()).await {
                Ok(Ok(Attempt::Held)) => break attempted_at,
                Ok(Ok(Attempt::HeldBy(other))) => is_held(cluster, &other),
                Ok(Err(error)) if error.code == ExitCode::Preflight => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => is_silent(cluster),
            };
            if begun.elapsed() >= ACQUIRE_WITHIN {
                return Err(obstacle);
            }
            telling.tell_if_due(&obstacle.message);
            sleep(with_jitter(Duration::from_millis(500))).await;
        };
        let term = Arc::new(Mutex::new(Term::begin(contender, renewed, lost)));
        Ok(Self { cluster: cluster.clone(), holder: holder.to_owned(), term })
    }

    /// The name under which this driver holds the Lease.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the Lease is lost; returns why.
    pub async fn lost(&self) -> String {
        let lost = self.term().lost.clone();
        lost.cancelled().await;
        self.lost_because().unwrap_or_default()
    }

    /// Why the Lease was lost; `None` if it was not.
    pub fn lost_because(&self) -> Option<String> {
        self.term().loss.get().map(|loss| loss.why.clone())
    }

    /// Takes a lost Lease back, unless another driver has it. Waits up to `limit` for the API server.
    ///
    /// # Errors
    /// Exit code 3 or 4: another driver has it, or the API server does not answer.
    pub async fn regain(&self, limit: Duration, tell: &Tell<'_>) -> Result<()> {
        if self.lost_because().is_none() {
            return Ok(());
        }
        let regained = poll(limit, Duration::from_millis(500), tell, || async {
            let mut contender = Contender::new(&self.cluster, &self.holder);
            let attempted_at = Instant::now();
            match self.try_renewal(&mut contender).await {
                Ok(Attempt::Held) => Condition::Met(Ok((contender, attempted_at))),
                Ok(Attempt::HeldBy(other)) => Condition::Met(Err(is_taken(&other))),
                Err(error) if error.code == ExitCode::Preflight => Condition::Met(Err(error)),
                Err(error) => Condition::NotMet(error.message),
            }
        });
        let (contender, renewed) = regained.await.map_err(|timed_out| {
            Error::cluster(format!("{} cannot be renewed {timed_out}", subject(&self.cluster)))
                .next("check that the cluster runs: kubectl get --raw /readyz")
        })??;
        *self.term() = Term::begin(contender, renewed, CancellationToken::new());
        Ok(())
    }

    /// Whether this driver may still stop what it has started: it has the Lease, could not renew it a moment ago, or
    /// nobody else has it.
    pub async fn may_still_act(&self) -> bool {
        let loss = self.term().loss.get().map(|loss| (loss.is_taken, loss.at));
        match loss {
            None => true,
            Some((false, at)) if at.elapsed() <= ACTS_ON => true,
            Some((is_taken, _)) => !is_taken && self.is_still_ours().await.unwrap_or(false),
        }
    }

    /// Whether no other driver has the Lease, although this one has lost it. If so, it is this driver's once more.
    ///
    /// # Errors
    /// Exit code 3 or 4: the API server does not say.
    pub async fn is_still_ours(&self) -> Result<bool> {
        let mut contender = Contender::new(&self.cluster, &self.holder);
        Ok(self.try_renewal(&mut contender).await? == Attempt::Held)
    }

    /// Renews the Lease once, outside of the renewals in the background.
    async fn try_renewal(&self, contender: &mut Contender) -> Result<Attempt> {
        let attempt = timeout(ATTEMPT_WITHIN, contender.renew()).await;
        attempt.unwrap_or_else(|_| Err(is_silent(&self.cluster)))
    }

    /// Gives the Lease back, so that the next driver does not wait until it expires.
    ///
    /// # Errors
    /// Exit code 3 or 4: it is not released, and expires by itself.
    pub async fn release(self) -> Result<()> {
        self.term().renewing.abort();
        let mut contender = Contender::new(&self.cluster, &self.holder);
        let released = timeout(RELEASE_WITHIN, contender.release()).await;
        released.unwrap_or_else(|_| Err(is_silent(&self.cluster))).map_err(|error| {
            let seconds = DURATION.as_secs();
            error
                .next(format!("nothing to do: the next driver waits {seconds} s until the Lease has expired"))
        })
    }
}

/// Renews the Lease until it is lost; returns how.
async fn renew_until_lost(mut contender: Contender, mut renewed: Instant) -> Loss {
    let lost = |is_taken, why| Loss { at: Instant::now(), is_taken, why };
    let mut problem = "the API server does not answer".to_owned();
    loop {
        let deadline = renewed + RENEW_WITHIN;
        sleep_until((Instant::now() + with_jitter(RETRY_EVERY)).min(deadline)).await;
        let attempted_at = Instant::now();
        let attempt = timeout(ATTEMPT_WITHIN, contender.renew());
        match timeout_at(deadline, attempt).await {
            Ok(Ok(Ok(Attempt::Held))) => renewed = attempted_at,
            Ok(Ok(Ok(Attempt::HeldBy(other)))) => {
                return lost(true, is_taken(&other).message);
            }
            Ok(Ok(Err(error))) => problem = error.message,
            Ok(Err(_)) => "the API server does not answer".clone_into(&mut problem),
            Err(_) => {
                let seconds = RENEW_WITHIN.as_secs();
                return lost(false, format!("the Lease could not be renewed for {seconds} s: {problem}"));
            }
        }
    }
}

fn is_taken(other: &str) -> Error {
    Error::cluster(format!("another driver has taken the Lease: {other}"))
        .next(format!("see which driver runs: kubectl get lease {JOB} -o yaml"))
}

fn is_held(cluster: &Cluster, other: &str) -> Error {
    Error::preflight(format!("another driver is running in namespace {}: {other}", cluster.namespace))
        .next(format!(
            "wait for it, or end it: kubectl delete job {JOB}, if its name begins with that; else it is a run of another \
             Job or machine"
        ))
}

fn is_silent(cluster: &Cluster) -> Error {
    Error::cluster(format!("{}: the API server does not answer", subject(cluster)))
        .next("check that the cluster runs: kubectl get --raw /readyz")
}

/// This time, and up to a fifth more.
fn with_jitter(time: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) % 1000;
    time + time.mul_f64(random as f64 / 5000.0)
}

#[cfg(test)]
mod tests;
