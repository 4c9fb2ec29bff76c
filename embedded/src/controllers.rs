//! What makes the objects true: each controller watches some kinds and does what is missing.

mod accounts;
mod deployment;
pub(crate) mod endpoints;
pub(crate) mod events;
mod garbage;
mod job;
mod node;
mod pods;
mod replica_set;
pub(crate) mod scheduler;
pub(crate) mod work;

use tokio::task::JoinSet;

use crate::store::Store;

pub(crate) use node::NAME as NODE;

/// Starts all controllers; they end with the set.
pub(crate) fn start(store: &Store) -> JoinSet<()> {
    node::register(store);
    let mut tasks = JoinSet::new();
    tasks.spawn(work::run(store.clone(), accounts::Accounts));
    tasks.spawn(work::run(store.clone(), deployment::Deployments));
    tasks.spawn(work::run(store.clone(), replica_set::ReplicaSets));
    tasks.spawn(work::run(store.clone(), job::Jobs::default()));
    tasks.spawn(work::run(store.clone(), endpoints::Slices));
    tasks.spawn(work::run(store.clone(), garbage::Garbage));
    tasks.spawn(work::run(store.clone(), scheduler::Scheduler));
    tasks
}
