//! What real Locust does with scripts that decide on their own load, or end it, and what the module tells of it.

use locust_matrix::load::{Load, LoadGenerator, Snapshot};

use crate::on_both_versions;
use crate::support::{Cluster, Setup, Stub, cut, one_place, run_for, stop, until};

/// A script with these users, with the module.
fn script(text: &str) -> String {
    format!("import locust_matrix\n{WITHOUT_MODULE}{text}")
}

const WITHOUT_MODULE: &str = "
import gevent
from locust import (HttpUser, LoadTestShape, SequentialTaskSet, TaskSet, User, between, constant, constant_pacing,
                    constant_throughput, events, task)
from locust.exception import StopUser
";

async fn start(version: &str, script: &str, workers: u32) -> Cluster {
    Setup { script: Some(script), ..Setup::new(version, workers) }.start().await
}

/// Starts users against nothing: these scripts send no requests.
async fn begin(cluster: &Cluster, users: u32) {
    let load = Load::Closed { users, spawn_rate: 100.0 };
    cluster.load.start(load, "http://127.0.0.1:9").await.unwrap();
}

async fn until_it_says_why(cluster: &Cluster) -> (Snapshot, String) {
    let snapshot = until(&cluster.load, |snapshot| snapshot.ended_by_itself().is_some()).await;
    let why = snapshot.ended_by_itself().unwrap();
    (snapshot, why)
}

async fn shapes_and_fixed_counts_are_known_before_a_load(version: &str) {
    let _turn = one_place().await;
    let users = "
class Caller(HttpUser):
    fixed_count = 4
    @task
    def wait_a_little(self): gevent.sleep(0.1)
class Operator(HttpUser):
    fixed_count = 1
    @task
    def wait_a_little(self): gevent.sleep(0.1)
";
    let shape = "
class Stairs(LoadTestShape):
    def tick(self): return (2, 10)
";
    let with_module = start(version, &script(users), 1).await;
    let without_module = start(version, &format!("{WITHOUT_MODULE}{users}"), 1).await;
    for cluster in [&with_module, &without_module] {
        let found = cluster.load.capabilities().await.unwrap().script;
        assert_eq!(found.shape, None, "{version}: {found:?}");
        assert_eq!(found.refuses(5), None, "{version}: {found:?}");
        assert!(found.refuses(12).unwrap().contains("4 Caller + 1 Operator"), "{version}: {found:?}");
    }
    for text in [script(&format!("{users}{shape}")), format!("{WITHOUT_MODULE}{users}{shape}")] {
        let cluster = start(version, &text, 1).await;
        let found = cluster.load.capabilities().await.unwrap().script;
        assert_eq!(found.shape.as_deref(), Some("Stairs"), "{version}: {found:?}");
    }
}

async fn users_that_leave_are_told_with_their_reason(version: &str) {
    let _turn = one_place().await;
    let cases = [
        (
            "
class Visit(SequentialTaskSet):
    @task
    def ask(self): gevent.sleep(0.2)
    @task
    def leave(self): raise StopUser()
class Customer(User):
    wait_time = constant(0.1)
    tasks = [Visit]
",
            "6 users ended by themselves (6 × Customer: StopUser)",
        ),
        (
            "
class Customer(User):
    def on_start(self): raise ValueError('no token')
    @task
    def never(self): gevent.sleep(0.1)
",
            "(6 × Customer: on_start raised ValueError: no token)",
        ),
        (
            "
class Customer(User):
    def on_start(self): raise StopUser()
    @task
    def never(self): gevent.sleep(0.1)
",
            "(6 × Customer: StopUser in on_start)",
        ),
    ];
    for (text, words) in cases {
        let cluster = start(version, &script(text), 2).await;
        begin(&cluster, 6).await;
        // All of them have left, on both workers.
        let all = |snapshot: &Snapshot| snapshot.left.iter().map(|left| left.count).sum::<u64>() == 6;
        let snapshot = until(&cluster.load, all).await;
        let why = snapshot.ended_by_itself().unwrap();
        assert!(why.contains(words), "{version}: {why}");
        let last = stop(&cluster.load, 2).await;
        assert_eq!(last.ended_by_script, None, "{version}: our own stop is not the script's");
        // They are not told of the next load.
        begin(&cluster, 2).await;
        let next = until(&cluster.load, |snapshot| !snapshot.left.is_empty()).await;
        assert!(next.left.iter().map(|left| left.count).sum::<u64>() <= 2, "{version}: {:?}", next.left);
    }
}

/// Users that are stopped leave because of that, not by themselves, whether they wait or work.
async fn users_that_are_stopped_do_not_leave_by_themselves(version: &str) {
    let _turn = one_place().await;
    let users = "
class Waits(User):
    wait_time = constant(30)
    @task
    def short(self): pass
class Works(User):
    @task
    def long(self): gevent.sleep(1)
";
    let cluster = start(version, &script(users), 2).await;
    begin(&cluster, 8).await;
    until(&cluster.load, |snapshot| snapshot.is_running(8, 2)).await;
    // Four of them are stopped in the middle of the load.
    begin(&cluster, 4).await;
    until(&cluster.load, |snapshot| snapshot.is_running(4, 2)).await;
    let last = stop(&cluster.load, 2).await;
    assert_eq!((last.left, last.cut_off, last.ended_by_script), (vec![], 0, None), "{version}");
}

async fn a_script_that_ends_the_test_is_told_from_a_stop(version: &str) {
    let _turn = one_place().await;
    let on_master = "
from locust.runners import MasterRunner
class Caller(User):
    @task
    def work(self): gevent.sleep(0.1)
@events.init.add_listener
def catch(environment, **_kwargs):
    def watch(runner):
        while True:
            gevent.sleep(0.2)
            if runner.state == 'running' and runner.user_count == 4:
                runner.END()
    if isinstance(environment.runner, MasterRunner):
        gevent.spawn(watch, environment.runner)
";
    let on_worker = "
class Caller(User):
    @task
    def work(self):
        gevent.sleep(1)
        self.environment.runner.END()
";
    for (text, end, said, quits) in [
        (on_master, "quit", "it called runner.quit()", true),
        (on_master, "stop", "it called runner.stop()", false),
        (on_worker, "quit", "it called runner.quit() on a worker", false),
        (on_worker, "stop", "it called runner.stop() on a worker", false),
    ] {
        let cluster = start(version, &script(&text.replace("END", end)), 2).await;
        begin(&cluster, 4).await;
        let (snapshot, why) = until_it_says_why(&cluster).await;
        assert!(why.ends_with(said), "{version}: {why}");
        assert_eq!(snapshot.has_quit, quits, "{version}: {why}");
    }
}

/// Little's law holds for users of every wait time without any setting: each is in a request or waits.
async fn waits_are_measured_whatever_the_wait_time(version: &str) {
    let _turn = one_place().await;
    let stub = Stub::start(&["--service-ms", "50", "--concurrency", "2"]);
    for wait_time in
        ["constant(0.3)", "between(0.1, 0.5)", "constant_pacing(0.4)", "constant_throughput(0.5)"]
    {
        let text = format!(
            "
class Visitor(HttpUser):
    wait_time = {wait_time}
    @task
    def twice(self):
        for _ in range(2):
            self.client.get('/healthz', headers={{'User-Agent': 'locust'}})
"
        );
        let cluster = start(version, &script(&text), 2).await;
        let load = &cluster.load;
        load.start(Load::Closed { users: 6, spawn_rate: 100.0 }, &stub.url).await.unwrap();
        until(load, |snapshot| snapshot.is_running(6, 2)).await;
        let opening = cut(load).await;
        run_for(load, 4.0).await;
        let closing = cut(load).await;
        let window = closing.since(&opening);
        let waited_s = closing.waited_s.unwrap() - opening.waited_s.unwrap();
        let users = (waited_s + window.aggregated.total_ms / 1000.0) / window.seconds;
        println!("{version}: {wait_time}: {users:.2} of 6 users, {waited_s:.1} s waited");
        assert!((5.4..=6.3).contains(&users), "{version}: {wait_time} accounts for {users} users");
        assert!(waited_s > 1.0, "{version}: {wait_time}: {waited_s} s");
        stop(load, 2).await;
    }
}

async fn what_a_stop_timeout_of_the_script_cuts_off_is_counted(version: &str) {
    let _turn = one_place().await;
    let users = "
@events.init.add_listener
def house_rule(environment, **_kwargs):
    environment.stop_timeout = 1
class Writer(User):
    @task
    def write(self): gevent.sleep(30)
class Sleeper(User):
    wait_time = constant(60)
    @task
    def nothing(self): pass
";
    let cluster = start(version, &script(users), 1).await;
    let can = cluster.load.capabilities().await.unwrap();
    assert!(can.caveat.as_ref().is_some_and(|caveat| caveat.contains("a stop timeout of 1 s")), "{can:?}");
    begin(&cluster, 6).await;
    until(&cluster.load, |snapshot| snapshot.is_running(6, 1)).await;
    let last = stop(&cluster.load, 1).await;
    assert_eq!((last.cut_off, last.left), (3, vec![]), "{version}: the sleepers have nothing under way");
}

/// A client of its own, as for gRPC or WebSockets: what counts is the event that it fires. Failures that differ only in
/// an id are one kind, whatever their text.
async fn a_client_of_its_own_is_counted_and_its_failures_are_folded(version: &str) {
    let _turn = one_place().await;
    let users = r#"
import time, uuid
class Stub(User):
    wait_time = constant(0.02)
    @task
    def infer(self):
        start = time.time()
        begun = time.perf_counter()
        gevent.sleep(0.01)
        error = None
        self.number = getattr(self, 'number', 0) + 1
        if self.number % 2:
            error = RuntimeError(f'<b>StatusCode.UNAVAILABLE</b> | `x` for {uuid.uuid4()},\n peer {self.number % 9}')
        self.environment.events.request.fire(
            request_type='grpc', name='/v2 Infer | "fp16"', start_time=start,
            response_time=1000 * (time.perf_counter() - begun), response_length=0, response=None, context={},
            exception=error)
"#;
    let cluster = start(version, &script(users), 2).await;
    begin(&cluster, 4).await;
    until(&cluster.load, |snapshot| snapshot.is_running(4, 2)).await;
    let opening = cut(&cluster.load).await;
    run_for(&cluster.load, 3.0).await;
    let closing = cut(&cluster.load).await;
    let window = closing.since(&opening);
    let endpoint = window.endpoint("grpc /v2 Infer | \"fp16\"").unwrap();
    assert!(endpoint.requests > 100 && endpoint.failures > 40, "{version}: {endpoint:?}");
    let last = stop(&cluster.load, 2).await;
    let kinds: Vec<_> = last.errors.iter().map(|error| &error.error).collect();
    assert!((1..=9).contains(&kinds.len()), "{version}: nine peers are told apart: {kinds:?}");
    assert!(
        kinds.iter().all(|kind| kind.contains("UNAVAILABLE") && kind.contains('…')),
        "{version}: {kinds:?}"
    );
    let counted: u64 = last.errors.iter().map(|error| error.occurrences).sum();
    assert_eq!(counted, last.counts.total.failures, "{version}: none is lost");
}

on_both_versions!(
    shapes_and_fixed_counts_are_known_before_a_load,
    users_that_leave_are_told_with_their_reason,
    users_that_are_stopped_do_not_leave_by_themselves,
    a_script_that_ends_the_test_is_told_from_a_stop,
    waits_are_measured_whatever_the_wait_time,
    what_a_stop_timeout_of_the_script_cuts_off_is_counted,
    a_client_of_its_own_is_counted_and_its_failures_are_folded,
);
