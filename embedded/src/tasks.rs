//! Tasks that run as long as the cluster.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// Named tasks. They stop when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    set: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task that must not end. `name` is for messages.
    pub(crate) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until a task ends, whether it returns or panics. Returns its name. Waits without end if there are no
    /// tasks.
    pub(crate) async fn first_end(&mut self) -> &'static str {
        let id = match self.set.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => std::future::pending().await,
        };
        self.names.get(&id).copied().unwrap_or("a task")
    }

    /// Stops all tasks, and waits until they have stopped.
    pub(crate) async fn shutdown(mut self) {
        self.set.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_returns_or_panics_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("endless", std::future::pending());
        tasks.spawn("returns", async {});
        assert_eq!(tasks.first_end().await, "returns");
        tasks.spawn("panics", async { panic!("on purpose") });
        assert_eq!(tasks.first_end().await, "panics");
        tasks.shutdown().await;
    }
}
