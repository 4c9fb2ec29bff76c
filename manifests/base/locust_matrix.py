"""Exact figures from a distributed Locust: import this module from a locustfile.

The module is optional. It needs Locust 2.46 or later and nothing else, and it changes nothing
for a locustfile that runs locally. On a master with a web server it adds the routes
/matrix/snapshot and /matrix/swarm (see `snapshot_route` and `swarm_route`). On workers it makes
the statistics finer, and a stop exact and quick. The files locust_matrix_*.py must be in
the same folder.
"""

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
import locust_matrix_bind  # noqa: F401
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
from locust_matrix_health import Health, forget_lost_workers
from locust_matrix_open import OpenMaster, OpenWorker
from locust_matrix_samples import (
    Endpoints,
    Failed,
    Recorder,
    Resets,
    after_reset,
    dump,
    in_microseconds,
)
from locust_matrix_script import ScriptOfMaster, ScriptOfWorker

logger = logging.getLogger(__name__)

FLUSH_TIMEOUT_S = 5.0
MAX_ERRORS, MAX_EXCEPTIONS, MAX_TEXT = 50, 20, 500

# With Locust's 3 s, every live figure would be up to 3 s old.
locust.runners.WORKER_REPORT_INTERVAL = 1.0
# A worker on a busy machine soon misses Locust's limit of 3 heartbeats. The master would then
# move its users to the other workers in the middle of a measurement.
locust.runners.HEARTBEAT_LIVENESS = 30


def new_socket(self, *args, _init=BaseSocket.__init__):
    """Limits the time to connect to 3 s. A worker that starts while the master's pod is replaced
    may send its first packet to the old address. Nobody refuses it there, and the operating
    system would retry for two minutes."""
    _init(self, *args)
    self.socket.setsockopt(zmq.CONNECT_TIMEOUT, 3000)


BaseSocket.__init__ = new_socket


@locust.events.init.add_listener
def on_init(environment, runner=None, web_ui=None, **_kwargs):
    if isinstance(runner, WorkerRunner):
        set_up_worker(environment, runner)
    elif isinstance(runner, MasterRunner) and web_ui is not None:
        set_up_master(environment, runner, web_ui)


def set_up_worker(environment, runner):
    recorder = Recorder(environment)
    failed = Failed(environment, recorder)
    health = Health()
    # Before the open model, which replaces the waits of an open test and restores them.
    script = ScriptOfWorker(environment, runner)
    arrivals = OpenWorker(environment, runner, recorder, failed)
    if os.getenv("LOCUST_MATRIX_DUMP"):
        dump(environment, failed, os.environ["LOCUST_MATRIX_DUMP"])

    def on_report(data, **_kwargs):
        data["matrix"] = {
            "failed": failed.take(),
            "health": health.report(),
            "open": arrivals.report(),
            **recorder.report(),
            **script.report(),
        }

    def on_flush(msg, **_kwargs):
        at = time.time()
        try:
            # Messages arrive in the order in which they were sent: the statistics come first.
            runner._send_stats()
            runner.send_message("matrix_flushed", {"id": msg.data["id"], "at": at})
        except Exception:
            logger.exception("could not send the statistics that the master asked for")

    def on_test_stop(**_kwargs):
        # All users have ended. Locust would keep the last samples until the next report, and
        # would sleep for the whole stop timeout before it reports that the worker is ready.
        environment.stop_timeout = 0
        runner._send_stats()

    def on_stop(_stop=runner.stop):
        # Until its first users run, a worker still has the state of the test before. A stop at
        # that moment would find the state "stopped" and would leave the users running.
        spawning = runner.spawning_greenlet is not None and not runner.spawning_greenlet.ready()
        if runner.state == STATE_STOPPED and (spawning or runner.user_count):
            runner.update_state(STATE_SPAWNING)
        _stop()

    runner.stop = on_stop
    script.watch_ends(runner)
    runner.register_message("matrix_flush", on_flush)
    runner.register_message("matrix_endpoints", recorder.on_endpoints)
    environment.events.report_to_master.add_listener(on_report)
    environment.events.test_stop.add_listener(on_test_stop)


def set_up_master(environment, runner, web_ui):
    endpoints = Endpoints(environment, runner)
    # Before Locust's own listener. EventHook has no public way to add a listener in front.
    environment.events.worker_report._handlers.insert(0, endpoints.on_report)
    resets = Resets(environment, runner)
    reported = Reported(environment)
    arrivals = OpenMaster(environment, runner)
    environment.events.test_start.add_listener(lambda **_kwargs: forget_lost_workers(runner))
    flusher = Flusher(environment, runner)
    deadman = DeadMan(runner, web_ui)
    script = ScriptOfMaster(environment, runner)
    # A stop disarms the timer when it begins: it may end after the next test has armed it again.
    environment.events.test_stopping.add_listener(lambda **_kwargs: deadman.arm(0))
    options = environment.parsed_options
    base = (getattr(options, "web_base_path", None) or "") + "/matrix"

    @web_ui.app.route(base + "/snapshot", methods=["GET", "POST"])
    @web_ui.auth_required_if_enabled
    def snapshot_route():
        """The cumulative statistics as JSON. Histograms (histogram, succeeded, from_send, lag) have
        keys in whole microseconds with three significant digits. At the top level stand, among
        others:

        impossible: requests of this test whose response time cannot be true (negative, not finite
        or longer than a day). They count as requests and are in no histogram.
        folded: endpoints beyond the first 200 of this test, counted up to 10,000. Their requests
        are in the entries named "(other endpoints)", one for each method.
        script: what the test script has that decides on the load, and how it has ended the test.
        left: users that ended by themselves. cut_off: those that the stop timeout killed in a task.
        waited_s: the time that all users have spent in their wait_time.
        resets: how often the statistics were set to zero since the master started, apart from the
        start of a test. If it grows within a test, the counters have fallen back.

        A POST may have two form fields:

        flush=1: first collect the statistics that the workers have not sent yet (see `Flusher`).
        deadman=N: stop the test N seconds from now, unless another request sets a new time
        before; 0 means no limit.
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
            return reply(flusher.run(take))
        return reply(take(None))

    def take(flush):
        extra = {
            "impossible": reported.impossible,
            "folded": len(endpoints.folded),
            "resets": resets.count,
            "open": arrivals.merged(reported.arrivals),
            "flush": flush,
            "script": script.describe(),
            "left": [{"user": u, "why": why, "count": n} for (u, why), n in reported.left.items()],
            "cut_off": reported.cut_off,
            "waited_s": sum(reported.waited.values()) if reported.waited else None,
        }
        return {**snapshot(runner, reported), **extra}

    @web_ui.app.route(base + "/swarm", methods=["POST"])
    @web_ui.auth_required_if_enabled
    def swarm_route():
        """Starts a test of the open model: Locust's own /swarm with three more form fields.

        rate=N: arrivals per second, summed over all workers. The number of users only limits how
        many requests can be under way at the same time.
        arrivals=poisson|constant: random and independent (the default), or evenly spaced.
        seed=N: seed of the random arrivals; 0 by default.
        """
        wrong = arrivals.ask(request.form)
        if wrong:
            return reply({"success": False, "message": wrong})
        answer = web_ui.app.view_functions["locust.swarm"]()
        if not (answer.is_json and answer.get_json()["success"]):
            arrivals.asked = None  # else the next test would use the open model
        return answer

    def reply(body, status=200):
        # Not jsonify, which sorts and indents: histograms are long.
        text = json.dumps(body, separators=(",", ":"))
        headers = {"Cache-Control": "no-store"}
        return web_ui.app.response_class(text, status, headers, mimetype="application/json")


class Reported:
    """The module's own part of the workers' reports, merged."""

    def __init__(self, environment):
        self.health = {}
        self.clear()
        self.begin()
        environment.events.worker_report.add_listener(self.on_report)
        environment.events.test_start.add_listener(self.clear)
        environment.events.test_start.add_listener(self.begin)
        after_reset(environment.stats, self.clear)

    def clear(self, **_kwargs):
        self.failed, self.sent = defaultdict(Counter), defaultdict(Counter)
        self.impossible = 0
        self.arrivals = {}

    def begin(self, **_kwargs):
        self.left, self.cut_off, self.waited = Counter(), 0, {}

    def on_report(self, client_id, data, **_kwargs):
        more = data.get("matrix")  # a worker may run another script
        if more is None:
            return
        self.health[client_id] = more["health"]
        self.impossible += more["impossible"]
        self.cut_off += more["cut_off"]
        self.waited[client_id] = more["waited_s"]
        for user, why, count in more["left"]:
            self.left[user, why] += count
        add(self.failed, more["failed"])
        if more["open"] is not None:
            self.arrivals[client_id] = more["open"]["counts"]
            add(self.sent, more["open"]["sent"])


def add(histograms, reported):
    for name, method, times in reported:
        histograms[name, method].update(times)
        histograms["Aggregated", ""].update(times)


class Flusher:
    """Asks every worker for the statistics that it has not sent yet, and waits for all answers.

    A worker sends its statistics first and its answer directly after them. Reports that arrive
    after a worker's answer are held back until the snapshot is taken. So the snapshot holds, for
    each worker, exactly the requests that it had counted when the question reached it.
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
                    # Without a worker there is no answer, so the snapshot is not complete.
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
    """Stops a test if its driver has gone. (The timer of the web API's run_time would not do:
    before Locust 2.47 it keeps running after a stop and can end the next test.)"""

    def __init__(self, runner, web_ui):
        self.runner, self.web_ui, self.timer = runner, web_ui, None

    def arm(self, seconds):
        if self.timer is not None:
            self.timer.kill(block=False)
        self.timer = gevent.spawn_later(seconds, self.fire, seconds) if seconds else None

    def fire(self, seconds):
        self.timer = None  # the stop below disarms the timer: it must not kill this greenlet
        if self.runner.state in ("spawning", "running"):
            logger.warning("The driver has not asked for %g s: stopping the test", seconds)
            # As the web server's own stop does: end the ramp-up before the users.
            ramp, self.web_ui._swarm_greenlet = self.web_ui._swarm_greenlet, None
            if ramp is not None:
                ramp.kill(block=True)
            self.runner.stop()


def snapshot(runner, reported):
    stats = runner.stats
    errors = sorted(stats.errors.values(), key=lambda e: -e.occurrences)[:MAX_ERRORS]
    exceptions = sorted(runner.exceptions.values(), key=lambda e: -e["count"])[:MAX_EXCEPTIONS]
    return {
        "version": 3,
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
    }


def worker(c, reported):
    usage = {"cpu_percent": c.cpu_usage, "memory_bytes": c.memory_usage}
    health = reported.health.get(c.id)
    if health is not None:
        health = {**health, "lag": in_microseconds(health["lag"])}
    return {"id": c.id, "state": c.state, "user_count": c.user_count, **usage, "health": health}


def error(e):
    what = {"error": str(e.error)[:MAX_TEXT], "occurrences": e.occurrences}
    return {"method": e.method, "name": e.name, **what}


def entry(e, reported):
    """The statistics of one endpoint. The keys of the three histograms are in microseconds."""
    failed = reported.failed.get((e.name, e.method), {})
    succeeded = {
        bucket: count - failed.get(bucket, 0)
        for bucket, count in e.response_times.items()
        if count > failed.get(bucket, 0)
    }
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
        "histogram": in_microseconds(e.response_times),
        "succeeded": in_microseconds(succeeded),
        **({"from_send": in_microseconds(sent)} if sent else {}),
    }
