//! What kind of reason a verdict has, and what to do about it. This is the only place that maps a reason to a next
//! step: one step for each verdict would be wrong for most of its reasons.

use records::UnmeasuredKind;

use crate::measure::Unsteady;

/// The kind of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The test script cannot make the load.
    ScriptCannot,
    /// The test script has ended the load, or users of it, by itself.
    ScriptEnds,
    /// The test script raised an exception.
    ScriptError,
    /// The service's pods did not become ready.
    NotReady,
    /// The service's address does not lead to its pods.
    Unreachable,
    /// No request finished at all.
    NoRequests,
    /// Requests finished, but none to the primary endpoint.
    OtherEndpoints,
    /// Every request to the primary endpoint failed.
    EveryRequestFailed,
    /// Something else kept the scenario from being measured.
    Broken,
    /// Pods of the service or workers were replaced or restarted.
    PodsChanged,
    /// Something outside disturbed the load.
    Disturbed,
    /// The statistics were set to zero.
    Reset,
    /// There is no room for the pods.
    NoPlace,
    /// A worker was at its limit.
    LoadGenerator,
    /// A worker did not hand over its counts in time.
    GeneratorLate,
    /// More requests failed than the objective allows.
    Errors,
    /// The service does not keep up with the rate.
    Overloaded,
    /// Throughput or P95 did not settle.
    Changing,
    /// The window is too short for the response times.
    TooShort,
    /// Users spend time that is not accounted for.
    Unaccounted,
    /// Arrivals of the open model were not started.
    NotOffered,
    /// One replica has more of the load than the others.
    Imbalanced,
    /// A percentile has too few samples.
    TooFewSamples,
}

impl Cause {
    /// The cause of a scenario that was not measured.
    pub(super) const fn of_obstacle(kind: UnmeasuredKind) -> Self {
        match kind {
            UnmeasuredKind::NoPlace => Self::NoPlace,
            UnmeasuredKind::Broken => Self::Broken,
            UnmeasuredKind::Disturbed => Self::Disturbed,
            UnmeasuredKind::GeneratorLate => Self::GeneratorLate,
            UnmeasuredKind::ScriptCannot => Self::ScriptCannot,
            UnmeasuredKind::ScriptEnds => Self::ScriptEnds,
            UnmeasuredKind::NotReady => Self::NotReady,
            UnmeasuredKind::Unreachable => Self::Unreachable,
            UnmeasuredKind::EveryRequestFailed => Self::EveryRequestFailed,
        }
    }

    /// The cause of an unsteady window.
    pub(super) const fn of_unsteady(unsteady: Unsteady) -> Self {
        match unsteady {
            Unsteady::Changing => Self::Changing,
            Unsteady::TooShort => Self::TooShort,
            Unsteady::NoRequests => Self::NoRequests,
            Unsteady::Unaccounted => Self::Unaccounted,
        }
    }

    /// What the user can do about it: the end of a sentence.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::ScriptCannot => "change fixed_count in the locustfile, or the users of the matrix",
            Self::ScriptEnds => {
                "change the locustfile: its users must stay until the driver stops them, and nothing in it may stop \
                 the test"
            }
            Self::ScriptError => "correct the test script where it raises this exception",
            Self::NotReady => {
                "look at the service's pods with kubectl describe and kubectl logs --previous, or raise timeouts.ready"
            }
            Self::Unreachable => {
                "check inference.url and inference.readiness_path, the Service's selector, and network policies"
            }
            Self::NoRequests => {
                "see the section on failed requests; without any, check that the workers may connect to \
                 inference.url: its name, its port, and network policies"
            }
            Self::OtherEndpoints => "set inference.primary to an endpoint of the test script: METHOD name",
            Self::EveryRequestFailed => "see the section on failed requests for what was answered",
            Self::Broken => "read the logs: kubectl logs -l app=locust, and those of the service",
            Self::PodsChanged => "find out why the pods changed: kubectl get events",
            Self::Disturbed => {
                "repeat the scenario when the cluster is calm: kubectl get events tells what happened"
            }
            Self::Reset => {
                "let nobody reset the statistics during a run: neither the test script nor the web page"
            }
            Self::NoPlace => {
                "sweep fewer replicas, request less per pod, or add nodes; for a quota, ask the namespace's owners"
            }
            Self::LoadGenerator => "use more workers, or give them more CPU",
            Self::GeneratorLate => "use more workers, or give them more CPU: kubectl top pods -l app=locust",
            Self::Errors => {
                "see the section on failed requests, and read the service's logs: a row with errors is no evidence of capacity"
            }
            Self::Overloaded => {
                "lower the rate, or add replicas: every percentile of such a row depends on the window"
            }
            Self::Changing => "measure longer (duration, max_duration), or warm up longer (warmup)",
            Self::TooShort => "measure at least as long as the sentence says (duration)",
            Self::Unaccounted => {
                "set think_time to what a user waits after each answer outside of its wait_time; if it waits nowhere, \
                 look for users that hang"
            }
            Self::NotOffered => "raise the pool, or use more workers",
            Self::Imbalanced => "look at that replica, or balance requests instead of connections",
            Self::TooFewSamples => "measure longer (duration)",
        }
    }
}
