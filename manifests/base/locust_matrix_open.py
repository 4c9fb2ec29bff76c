"""The open model: arrivals have a fixed rate that does not depend on the answers; a part of
locust_matrix.py.

The users of a test wait for arrivals. Each arrival lets one free user run one task of its task
set; the users' wait_time is not used. A response time counts from the moment at which the task
was due. An arrival that finds no free user waits in a queue, and its time there is part of its
response time. Arrivals that still wait when the test is stopped are counted as skipped. If a
task sends several requests, it is one arrival, and its lateness is added to the first request
only: each other request was due when the one before it was answered. (If a task sends requests
from greenlets of its own, its lateness is added to none of them.)

The closed model is not slowed down: an open test replaces functions of Locust when it starts
and restores them when it ends.
"""

import math
import random
import time
from collections import Counter, defaultdict

import gevent
from gevent.queue import Queue
from locust import TaskSet
from locust.exception import StopUser
from locust.runners import STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING
from locust.user.task import (
    LOCUST_STATE_RUNNING,
    LOCUST_STATE_STOPPING,
    LOCUST_STATE_WAITING,
)
from locust_matrix_samples import bucket_response_time

# A task that starts later than this after it was due counts as late.
LATE_S = 0.010


class OpenMaster:
    """Splits the rate over the workers when a test starts."""

    def __init__(self, environment, runner):
        self.runner = runner
        self.asked = None  # the fields of the request for the next test
        self.rate = None  # of this test; None in the closed model
        self.told = False  # whether the workers were ever sent a share
        environment.events.test_start.add_listener(self.on_test_start)

    def ask(self, form):
        """Takes the form fields of a request for an open test. Returns an error message, or
        None if they are right."""
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
        # The workers get this before the order to start users: it is the same connection.
        workers = self.workers()
        for index, worker in enumerate(workers):
            share = asked and {**asked, "index": index, "workers": len(workers)}
            self.runner.send_message("matrix_open", {"share": share}, client_id=worker)

    def merged(self, counts):
        if self.rate is None:
            return None
        names = ("due", "started", "finished", "late", "skipped")
        sums = {name: sum(c[name] for c in counts.values()) for name in names}
        late_max_ms = max((c["late_max_ms"] for c in counts.values()), default=0.0)
        return {"rate": self.rate, **sums, "late_max_ms": late_max_ms}


class Schedule:
    """The times at which a worker's share of the arrivals is due, in s after the start.

    The sum of several workers' independent Poisson arrivals is again Poisson. Evenly spaced
    arrivals are shifted by the worker's index, so that the sum is evenly spaced, too."""

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

    def __init__(self, environment, runner, recorder, failed):
        self.recorder, self.failed = recorder, failed
        self.share, self.queue = None, None
        self.replaced = None
        runner.register_message("matrix_open", self.on_open)
        events = environment.events
        events.test_start.add_listener(self.on_test_start)
        events.spawning_complete.add_listener(self.on_spawning_complete)
        events.test_stopping.add_listener(self.on_test_stopping)
        events.test_stop.add_listener(self.on_test_stop)

    def on_open(self, msg, **_kwargs):
        self.share = msg.data["share"]

    def on_test_start(self, **_kwargs):
        self.restore()
        share, self.share, self.queue = self.share, None, None
        if share is not None:
            self.queue = ArrivalQueue(Schedule(**share))
            self.sent = defaultdict(Counter)
            self.replace()

    def on_spawning_complete(self, **_kwargs):
        # Not earlier: the first arrivals would wait for the last users to start.
        if self.queue is not None:
            self.queue.begin()

    def on_test_stopping(self, **_kwargs):
        if self.queue is not None:
            self.queue.end()

    def on_test_stop(self, **_kwargs):
        self.restore()
        if self.queue is not None:
            self.queue.skip()

    def report(self):
        if self.queue is None:
            return None
        sent, self.sent = self.sent, defaultdict(Counter)
        sent = [[name, method, dict(times)] for (name, method), times in sent.items()]
        return {"counts": self.queue.counts(), "sent": sent}

    def replace(self):
        queue, recorder, failed = self.queue, self.recorder, self.failed

        def execute_next_task(taskset, _execute=TaskSet.execute_next_task):
            if is_task_set(taskset._task_queue[0]):
                return _execute(taskset)  # an arrival is a task of the inner task set
            taskset.user._state = LOCUST_STATE_WAITING  # a stop need not wait for an arrival
            queue.take()
            taskset.user._state = LOCUST_STATE_RUNNING
            try:
                _execute(taskset)
            finally:
                queue.finished += 1
                queue.lateness.pop(gevent.getcurrent(), None)

        def wait(taskset):
            if taskset.user._state == LOCUST_STATE_STOPPING:
                raise StopUser()

        def log_request(method, name, response_time, length, _log=recorder.log):
            failed.lateness = queue.lateness.pop(gevent.getcurrent(), 0.0)
            if response_time is not None:
                self.sent[name, method][bucket_response_time(response_time)] += 1
                response_time += failed.lateness
            _log(method, name, response_time, length)

        self.replaced = TaskSet.execute_next_task, TaskSet.wait, recorder.log
        TaskSet.execute_next_task, TaskSet.wait = execute_next_task, wait
        recorder.log = log_request

    def restore(self):
        if self.replaced is not None:
            TaskSet.execute_next_task, TaskSet.wait, self.recorder.log = self.replaced
            self.replaced = None
            self.failed.lateness = 0.0


def is_task_set(task):
    return isinstance(task, type) and issubclass(task, TaskSet)


class ArrivalQueue:
    """One worker's arrivals of one test, in the order in which they are due, and their counts.

    An arrival is finished when its task has ended: it returned, raised an exception or was killed
    with its user. So due minus finished is the number of arrivals that wait or are under way."""

    def __init__(self, schedule):
        self.schedule = schedule
        self.queue = Queue()
        self.lateness = {}  # ms, by the greenlet that runs the task; gone after the first request
        self.greenlet = None
        self.due = self.started = self.finished = self.late = self.skipped = 0
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
            self.advance()  # a busy event loop may not have done it yet
        counts = {"due": self.due, "started": self.started, "finished": self.finished}
        lateness = {"late": self.late, "late_max_ms": 1000 * self.late_max_s}
        return {**counts, **lateness, "skipped": self.skipped}
