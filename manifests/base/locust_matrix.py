"""Exact figures from a distributed Locust: import this from a locustfile, and that is all.

It is optional, needs Locust 2.46 or later and nothing else, and does nothing to a
locustfile that runs locally. On a master with a web server it adds the routes
/matrix/snapshot and /matrix/swarm (see `snapshot_route` and `swarm_route`); on workers it
makes the statistics finer and the stop both exact and quick. Its other two files,
locust_matrix_health.py and locust_matrix_open.py, belong beside it.
"""

import functools
import json
import logging
import math
import os
import time
from collections import Counter, defaultdict

import gevent
import locust
import locust.runners
import locust.stats
import zmq
from flask import request
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from locust.rpc.zmqrpc import BaseSocket
from locust.runners import (
    STATE_MISSING,
    STATE_SPAWNING,
    STATE_STOPPED,
    MasterRunner,
    WorkerRunner,
)
from locust_matrix_health import Health
from locust_matrix_open import OpenMaster, OpenWorker

logger = logging.getLogger(__name__)

FLUSH_TIMEOUT_S = 5.0
MAX_ERRORS, MAX_EXCEPTIONS, MAX_TEXT = 50, 20, 500

# Locust's 3 s would be the age of the newest sample in every live figure.
locust.runners.WORKER_REPORT_INTERVAL = 1.0
# Locust's 3 missed heartbeats are soon reached on a busy machine, and the master then moves
# the users of a worker that is alive to the others in the middle of a measurement.
locust.runners.HEARTBEAT_LIVENESS = 30


def new_socket(self, *args, _init=BaseSocket.__init__):
    """A worker that starts while the master moves may send its first packet to an address that
    is gone, where nobody refuses it; the system would go on trying there for two minutes."""
    _init(self, *args)
    self.socket.setsockopt(zmq.CONNECT_TIMEOUT, 3000)


BaseSocket.__init__ = new_socket


def bucket_response_time(response_time):
    """Three significant digits; Locust's own two are up to 4.8 % off."""
    step = 1
    while response_time >= 1000 * step:
        step *= 10
    return int(round(response_time / step)) * step


locust.stats.bucket_response_time = bucket_response_time


@locust.events.init.add_listener
def on_init(environment, runner=None, web_ui=None, **_kwargs):
    if isinstance(runner, WorkerRunner):
        set_up_worker(environment, runner)
    elif isinstance(runner, MasterRunner) and web_ui is not None:
        set_up_master(environment, runner, web_ui)


def set_up_worker(environment, runner):
    failed = Failed(environment)
    health = Health()
    arrivals = OpenWorker(environment, runner, failed)
    if os.getenv("LOCUST_MATRIX_DUMP"):
        dump(environment, failed, os.environ["LOCUST_MATRIX_DUMP"])

    def on_report(data, **_kwargs):
        data["matrix"] = {
            "failed": failed.take(),
            "health": health.report(),
            "open": arrivals.report(),
        }

    def on_flush(msg, **_kwargs):
        at = time.time()
        try:
            # One connection, in order: who has the answer has the statistics too.
            runner._send_stats()
            runner.send_message("matrix_flushed", {"id": msg.data["id"], "at": at})
        except Exception:
            logger.exception("could not send the statistics that the master asked for")

    def on_test_stop(**_kwargs):
        # All users have ended. Locust would keep the last samples until the next report, and
        # would now sleep for the whole stop timeout before it says that it is ready.
        environment.stop_timeout = 0
        runner._send_stats()

    def on_stop(_stop=runner.stop):
        # Until its first users are there, a worker is in the state of the test before: a stop that
        # comes that early would find it stopped, and leave the users running.
        spawning = runner.spawning_greenlet is not None and not runner.spawning_greenlet.ready()
        if runner.state == STATE_STOPPED and (spawning or runner.user_count):
            runner.update_state(STATE_SPAWNING)
        _stop()

    runner.stop = on_stop
    runner.register_message("matrix_flush", on_flush)
    environment.events.report_to_master.add_listener(on_report)
    environment.events.test_stop.add_listener(on_test_stop)


class Failed:
    """A worker's failed requests by response time, since its last report.

    Locust's own histograms hold all requests; without these they hold the successful ones. A
    request that succeeds, which is nearly every one, costs nothing here.
    """

    def __init__(self, environment):
        self.counts = defaultdict(Counter)
        # What the open model has added to the response time of the request that is counted now, ms.
        self.shift = 0.0
        # After Locust's own listeners, which were there before: both count a request or neither.
        environment.events.request.add_listener(self.on_request)
        environment.events.test_start.add_listener(self.clear)
        if environment.reset_stats:
            environment.events.spawning_complete.add_listener(self.clear)

    def on_request(self, request_type, name, response_time, exception=None, **_kwargs):
        if exception and response_time is not None:
            bucket = bucket_response_time(response_time + self.shift)
            self.counts[name, request_type][bucket] += 1

    def clear(self, **_kwargs):
        self.counts = defaultdict(Counter)

    def take(self):
        counts, self.counts = self.counts, defaultdict(Counter)
        return [[name, method, dict(times)] for (name, method), times in counts.items()]


def dump(environment, failed, path):
    """Appends a line for every request: method, name, when it was sent (s since the epoch), its
    response time from there and from when it was due (ms), and 1 if it succeeded, else 0. All
    workers of a machine may share the file. For tests: it costs more than the request."""
    file = open(path, "a", buffering=1)  # whole lines, each in one write

    def on_request(request_type, name, response_time, start_time, exception=None, **_kwargs):
        times = f"{start_time:.6f}\t{response_time:.6f}\t{response_time + failed.shift:.6f}"
        file.write(f"{request_type}\t{name}\t{times}\t{0 if exception else 1}\n")

    environment.events.request.add_listener(on_request)


def set_up_master(environment, runner, web_ui):
    reported = Reported(environment)
    arrivals = OpenMaster(environment, runner)
    flusher = Flusher(environment, runner)
    deadman = DeadMan(runner, web_ui)
    # At the beginning of a stop: its end can be late, when the next test has armed it anew.
    environment.events.test_stopping.add_listener(lambda **_kwargs: deadman.arm(0))
    options = environment.parsed_options
    base = (getattr(options, "web_base_path", None) or "") + "/matrix"

    @web_ui.app.route(base + "/snapshot", methods=["GET", "POST"])
    @web_ui.auth_required_if_enabled
    def snapshot_route():
        """The cumulative statistics as JSON. A POST may carry two form fields:

        flush=1: first collect what the workers have not sent yet (see `Flusher`).
        deadman=N: stop the test N seconds from now unless asked again; 0 takes that back.
        """
        try:
            flush = {"0": False, "1": True}[request.form.get("flush", "0")]
            seconds = float(request.form.get("deadman", "0"))
            if not 0 <= seconds < math.inf:
                raise ValueError(seconds)
        except (KeyError, ValueError):
            return reply({"error": "flush must be 0 or 1, deadman a number of seconds"}, 400)
        if "deadman" in request.form:
            deadman.arm(seconds)
        if flush:
            take = functools.partial(snapshot, runner, reported, arrivals)
            return reply(flusher.run(take))
        return reply(snapshot(runner, reported, arrivals, None))

    @web_ui.app.route(base + "/swarm", methods=["POST"])
    @web_ui.auth_required_if_enabled
    def swarm_route():
        """Starts a test of the open model: Locust's own /swarm, with more fields.

        rate=N: arrivals per second, over all workers; the users only bound how many run at once.
        arrivals=poisson|constant: independent of each other (the default), or evenly spaced.
        seed=N: what the random arrivals depend on; 0 unless given.
        """
        wrong = arrivals.ask(request.form)
        if wrong:
            return reply({"success": False, "message": wrong})
        answer = web_ui.app.view_functions["locust.swarm"]()
        if not (answer.is_json and answer.get_json()["success"]):
            arrivals.asked = None  # it would make the next test an open one
        return answer

    def reply(body, status=200):
        # Not jsonify: it sorts and indents, and histograms are long.
        text = json.dumps(body, separators=(",", ":"))
        headers = {"Cache-Control": "no-store"}
        return web_ui.app.response_class(text, status, headers, mimetype="application/json")


class Reported:
    """What the workers' reports hold beyond Locust's own statistics, merged."""

    def __init__(self, environment):
        self.health = {}
        self.clear()
        environment.events.worker_report.add_listener(self.on_report)
        environment.events.test_start.add_listener(self.clear)
        environment.events.reset_stats.add_listener(self.clear)
        if environment.reset_stats:
            environment.events.spawning_complete.add_listener(self.clear)

    def clear(self, **_kwargs):
        self.failed, self.sent = defaultdict(Counter), defaultdict(Counter)
        self.arrivals = {}

    def on_report(self, client_id, data, **_kwargs):
        more = data.get("matrix")  # a worker may run another script
        if more is None:
            return
        self.health[client_id] = more["health"]
        add(self.failed, more["failed"])
        if more["open"] is not None:
            self.arrivals[client_id] = more["open"]["counts"]
            add(self.sent, more["open"]["sent"])


def add(histograms, reported):
    for name, method, times in reported:
        histograms[name, method].update(times)
        histograms["Aggregated", ""].update(times)


class Flusher:
    """Asks every worker for its unsent statistics and waits for all answers.

    An answer comes right behind the statistics it stands for. What a worker sends after its
    answer is held back until the snapshot is taken. So the snapshot has, of every worker,
    what it had counted when the question reached it, and nothing later.
    """

    def __init__(self, environment, runner):
        self.runner = runner
        self.turn = BoundedSemaphore(1)  # one flush at a time, each with its own id
        self.id = 0
        self.waiting, self.answers, self.held = set(), {}, []
        self.done = Event()
        self.deliver = environment.events.worker_report.fire
        environment.events.worker_report.fire = self.on_report
        environment.events.test_start.add_listener(lambda **_kwargs: self.held.clear())
        runner.register_message("matrix_flushed", self.on_answer)

    def on_report(self, **report):
        if report.get("client_id") in self.answers:
            self.held.append(report)
        else:
            self.deliver(**report)

    def on_answer(self, msg, **_kwargs):
        if msg.data["id"] == self.id and msg.node_id in self.waiting:
            self.waiting.remove(msg.node_id)
            self.answers[msg.node_id] = msg.data["at"]
            if not self.waiting:
                self.done.set()

    def run(self, take):
        with self.turn:
            start = time.monotonic()
            self.id += 1
            self.waiting = {c.id for c in self.runner.clients.all if c.state != STATE_MISSING}
            self.done.clear()
            try:
                for worker in list(self.waiting):
                    self.runner.send_message("matrix_flush", {"id": self.id}, client_id=worker)
                if self.waiting:
                    self.done.wait(FLUSH_TIMEOUT_S)
                at = list(self.answers.values())
                report = {
                    # Without a worker nothing was asked, so nothing is known.
                    "complete": bool(at) and not self.waiting,
                    "workers": len(at),
                    "took_ms": round(1000 * (time.monotonic() - start), 3),
                    "spread_ms": round(1000 * (max(at) - min(at)), 3) if at else None,
                    "at": sum(at) / len(at) if at else None,
                }
                return take(report)
            finally:
                self.waiting, self.answers = set(), {}
                held, self.held = self.held, []
                for report in held:
                    self.deliver(**report)


class DeadMan:
    """Stops a test whose driver is gone. (Before Locust 2.47 the timer behind the web API's
    run_time goes on after a stop and ends whatever test runs by then.)"""

    def __init__(self, runner, web_ui):
        self.runner, self.web_ui, self.timer = runner, web_ui, None

    def arm(self, seconds):
        if self.timer is not None:
            self.timer.kill(block=False)
        self.timer = gevent.spawn_later(seconds, self.fire, seconds) if seconds else None

    def fire(self, seconds):
        self.timer = None  # the stop below disarms, and must not kill its own greenlet
        if self.runner.state in ("spawning", "running"):
            logger.warning("Nobody asked for %g s whether to go on: stopping the test", seconds)
            # What the web server's own stop does: end a ramp before the users.
            ramp, self.web_ui._swarm_greenlet = self.web_ui._swarm_greenlet, None
            if ramp is not None:
                ramp.kill(block=True)
            self.runner.stop()


def snapshot(runner, reported, arrivals, flush):
    stats = runner.stats
    errors = sorted(stats.errors.values(), key=lambda e: -e.occurrences)[:MAX_ERRORS]
    exceptions = sorted(runner.exceptions.values(), key=lambda e: -e["count"])[:MAX_EXCEPTIONS]
    return {
        "version": 2,
        "locust": locust.__version__,
        "now": time.time(),
        "state": runner.state,
        "user_count": runner.user_count,
        "target_user_count": runner.target_user_count,
        "workers": [worker(c, reported) for c in runner.clients.all],
        "entries": [entry(stats.entries[key], reported) for key in sorted(stats.entries)],
        "total": entry(stats.total, reported),
        "errors": [error(e) for e in errors],
        "exceptions": [
            {"message": str(e["msg"])[:MAX_TEXT], "count": e["count"]} for e in exceptions
        ],
        "open": arrivals.merged(reported.arrivals),
        "flush": flush,
    }


def worker(c, reported):
    usage = {"cpu_percent": c.cpu_usage, "memory_bytes": c.memory_usage}
    health = reported.health.get(c.id)
    return {"id": c.id, "state": c.state, "user_count": c.user_count, **usage, "health": health}


def error(e):
    what = {"error": str(e.error)[:MAX_TEXT], "occurrences": e.occurrences}
    return {"method": e.method, "name": e.name, **what}


def entry(e, reported):
    times = sorted(e.response_times.items())
    failed = reported.failed.get((e.name, e.method), {})
    succeeded = ((bucket, count - failed.get(bucket, 0)) for bucket, count in times)
    sent = reported.sent.get((e.name, e.method))
    return {
        "method": e.method,
        "name": e.name,
        "requests": e.num_requests,
        "failures": e.num_failures,
        "total_ms": e.total_response_time,
        "min_ms": e.min_response_time,
        "max_ms": e.max_response_time,
        "last_at": e.last_request_timestamp,
        "start_at": e.start_time,
        "histogram": dict(times),
        "succeeded": {bucket: count for bucket, count in succeeded if count > 0},
        **({"from_send": dict(sorted(sent.items()))} if sent else {}),
    }
