"""The open model: work arrives at a rate, whether the answers come or not; a part of
locust_matrix.py.

The users of a test stand ready, and each arrival lets one of them run one task of its task
set, whatever that is; their wait_time is not used. A response time counts from when its task
was due. What arrives while every user is busy waits in line for one, and what waits is latency;
what still waits when the test is stopped is counted as skipped. A task of several requests is
one arrival, whose lateness is added to its first request: the others were due when the one
before them had its answer. (A task that sends from greenlets of its own has it added to none.)

In the closed model nothing here is in the way of a request: what it replaces is replaced at
the start of an open test and put back at its end.
"""

import math
import random
import time
from collections import Counter, defaultdict

import gevent
import locust.stats
from gevent.queue import Queue
from locust import TaskSet
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
)

LATE_S = 0.010


class OpenMaster:
    """Splits the rate over the workers when a test begins."""

    def __init__(self, environment, runner):
        self.runner = runner
        self.asked = None  # of the next test
        self.rate = None  # of this test
        self.told = False
        environment.events.test_start.add_listener(self.on_test_start)

    def ask(self, form):
        """Takes the fields of a request for an open test; what is wrong with them, in words."""
        try:
            rate, seed = float(form.get("rate", "")), int(form.get("seed", "0"))
        except ValueError:
            return "rate must be a number, seed a whole number"
        kind = form.get("arrivals", "poisson")
        if not 0 < rate < math.inf or kind not in ("poisson", "constant"):
            return "rate must be above 0, arrivals poisson or constant"
        if self.runner.state in (STATE_SPAWNING, STATE_RUNNING, STATE_STOPPING):
            return f"a test is {self.runner.state}"
        if not self.workers():
            return "there is no worker"
        self.asked = {"rate": rate, "arrivals": kind, "seed": seed}
        return None

    def workers(self):
        clients = self.runner.clients
        return sorted(c.id for c in clients.ready + clients.running + clients.spawning)

    def on_test_start(self, **_kwargs):
        asked, self.asked = self.asked, None
        self.rate = asked and asked["rate"]
        if asked is None and not self.told:
            return
        self.told = True
        # Before the order to start users, on the same connection.
        workers = self.workers()
        for index, worker in enumerate(workers):
            share = asked and {**asked, "index": index, "workers": len(workers)}
            self.runner.send_message("matrix_open", {"share": share}, client_id=worker)

    def merged(self, counts):
        if self.rate is None:
            return None
        names = ("due", "started", "late", "skipped")
        sums = {name: sum(c[name] for c in counts.values()) for name in names}
        late_max_ms = max((c["late_max_ms"] for c in counts.values()), default=0.0)
        return {"rate": self.rate, **sums, "late_max_ms": late_max_ms}


class Schedule:
    """When a worker's share of the arrivals is due, s after the beginning.

    Independent random arrivals of several workers are so together, too. Evenly spaced ones are
    shifted against each other by the worker's place among all."""

    def __init__(self, rate, arrivals, seed, index, workers):
        self.rate = rate / workers
        self.random = random.Random(f"{seed} {index}") if arrivals == "poisson" else None
        self.next = self.gap() if self.random else (index + 1) / rate

    def gap(self):
        return self.random.expovariate(self.rate) if self.random else 1 / self.rate

    def until(self, now):
        while self.next <= now:
            yield self.next
            self.next += self.gap()


class OpenWorker:
    """A worker's share of an open test."""

    def __init__(self, environment, runner, failed):
        self.stats, self.failed = environment.stats, failed
        self.share, self.line = None, None
        runner.register_message("matrix_open", self.on_open)
        events = environment.events
        events.test_start.add_listener(self.on_test_start)
        events.spawning_complete.add_listener(self.on_spawning_complete)
        events.test_stopping.add_listener(self.on_test_stopping)
        events.test_stop.add_listener(self.on_test_stop)

    def on_open(self, msg, **_kwargs):
        self.share = msg.data["share"]

    def on_test_start(self, **_kwargs):
        self.put_back()
        share, self.share, self.line = self.share, None, None
        if share is not None:
            self.line = Line(Schedule(**share))
            self.sent = defaultdict(Counter)
            self.replace()

    def on_spawning_complete(self, **_kwargs):
        # Not before all users are there: the first arrivals would wait for the last users.
        if self.line is not None:
            self.line.begin()

    def on_test_stopping(self, **_kwargs):
        if self.line is not None:
            self.line.end()

    def on_test_stop(self, **_kwargs):
        self.put_back()
        if self.line is not None:
            self.line.skip()

    def report(self):
        if self.line is None:
            return None
        sent, self.sent = self.sent, defaultdict(Counter)
        sent = [[name, method, dict(times)] for (name, method), times in sent.items()]
        return {"counts": self.line.counts(), "sent": sent}

    def replace(self):
        line, stats, failed = self.line, self.stats, self.failed

        def execute_next_task(taskset, _execute=TaskSet.execute_next_task):
            if is_task_set(taskset._task_queue[0]):
                return _execute(taskset)  # its own tasks are the ones that arrive
            taskset.user._state = LOCUST_STATE_WAITING  # a stop need not wait for an arrival
            line.take()
            taskset.user._state = LOCUST_STATE_RUNNING
            try:
                _execute(taskset)
            finally:
                line.lateness.pop(gevent.getcurrent(), None)

        def wait(taskset):
            if taskset.user._state == LOCUST_STATE_STOPPING:
                raise StopUser()

        def log_request(method, name, response_time, length, _log=stats.log_request):
            failed.shift = line.lateness.pop(gevent.getcurrent(), 0.0)
            if response_time is not None:
                bucket = locust.stats.bucket_response_time(response_time)
                self.sent[name, method][bucket] += 1
                response_time += failed.shift
            _log(method, name, response_time, length)

        self.closed = TaskSet.execute_next_task, TaskSet.wait
        TaskSet.execute_next_task, TaskSet.wait = execute_next_task, wait
        stats.log_request = log_request

    def put_back(self):
        if "log_request" in vars(self.stats):
            TaskSet.execute_next_task, TaskSet.wait = self.closed
            del self.stats.log_request
            self.failed.shift = 0.0


def is_task_set(task):
    return isinstance(task, type) and issubclass(task, TaskSet)


class Line:
    """The arrivals of one test, in the order in which they are due, and what came of them."""

    def __init__(self, schedule):
        self.schedule = schedule
        self.queue = Queue()
        self.lateness = {}  # of the tasks that run, by their greenlet, ms
        self.greenlet = None
        self.due = self.started = self.late = self.skipped = 0
        self.late_max_s = 0.0

    def begin(self):
        if self.greenlet is None:
            self.zero = time.perf_counter()
            self.greenlet = gevent.spawn(self.run)

    def end(self):
        if self.greenlet is not None:
            self.advance()
            self.greenlet.kill(block=False)
            self.zero = math.inf

    def skip(self):
        self.skipped = self.due - self.started

    def run(self):
        while True:
            gevent.sleep(max(0.0, self.zero + self.schedule.next - time.perf_counter()))
            self.advance()

    def advance(self):
        for at in self.schedule.until(time.perf_counter() - self.zero):
            self.due += 1
            self.queue.put(self.zero + at)

    def take(self):
        due = self.queue.get()
        late = time.perf_counter() - due
        self.started += 1
        self.late += late > LATE_S
        self.late_max_s = max(self.late_max_s, late)
        self.lateness[gevent.getcurrent()] = 1000 * late

    def counts(self):
        if self.greenlet is not None:
            self.advance()  # a busy loop may not have come to it
        counts = {"due": self.due, "started": self.started, "late": self.late}
        return {**counts, "skipped": self.skipped, "late_max_ms": 1000 * self.late_max_s}
