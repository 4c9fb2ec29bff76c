"""Which requests a worker counts, under which endpoint and with which response time; a part of
locust_matrix.py.

Between the processes of Locust, response times and their histograms are in ms, as Locust's own
pages expect. Only the answer of /matrix/snapshot is in microseconds.
"""

import zlib
from collections import Counter, defaultdict

import locust.stats
from locust.runners import STATE_RUNNING, STATE_SPAWNING
from locust.stats import StatsError
from locust_matrix_errors import ErrorTexts

# A response time below 0 or above this cannot be true.
LONGEST_MS = 24 * 3600 * 1000
# Readers of the histograms keep microseconds in 32 bits: longer times share the last bucket.
LAST_BUCKET_US = 4_290_000_000
# Endpoints of a test that have an entry of their own.
MAX_ENDPOINTS = 200
# A worker keeps more than that until the master has told it which endpoints all workers keep.
MAX_ENDPOINTS_OF_WORKER = 1000
# Folded endpoints are counted up to this number.
MAX_FOLDED = 10_000
OTHER = "(other endpoints)"


def bucket_response_time(response_time, digits=3):
    """A response time in ms, rounded to significant digits and to whole microseconds.

    Locust's own function keeps two digits, which is up to 4.8 % off, and whole milliseconds.
    Whole milliseconds are an int here, too: they take fewer bytes in a report, and Locust's
    pages show them as before.
    """
    us = 1000 * response_time
    step = 1
    while us >= 10**digits * step:
        step *= 10
    us = min(round(us / step) * step, LAST_BUCKET_US)
    return us / 1000 if us % 1000 else us // 1000


locust.stats.bucket_response_time = bucket_response_time


def in_microseconds(times):
    """A histogram of `bucket_response_time` with its keys in microseconds, in rising order."""
    return {round(1000 * bucket): count for bucket, count in sorted(times.items())}


def milliseconds(response_time):
    """A response time as a float, or None if it cannot be true."""
    try:
        ms = float(response_time)
    except (TypeError, ValueError, OverflowError):
        return None
    return ms if 0 <= ms <= LONGEST_MS else None  # NaN is in no range


def fingerprint(name, method):
    """A number for an endpoint, the same in every process, to count the folded endpoints."""
    return zlib.crc32(f"{method} {name}".encode(errors="replace"))


class Recorder:
    """Stands between a worker's requests and its Locust statistics.

    If a response time cannot be true, its request is counted without one (None), which Locust
    allows, and `impossible` counts it. (A NaN in a sum would spoil the sum for the whole test.)
    Endpoints beyond a limit are counted together under `OTHER`, one entry per method: a script
    that puts an id into each name would fill the memory of the workers and the master.
    """

    def __init__(self, environment):
        self.stats = environment.stats
        self.texts = ErrorTexts()
        # The open model puts its own function here.
        self.log = self.stats.log_request
        self.log_error_of_locust = self.stats.log_error
        self.stats.log_request, self.stats.log_error = self.log_request, self.log_error
        self.clear()
        environment.events.test_start.add_listener(self.clear)
        after_reset(self.stats, self.clear_impossible)

    def clear(self, **_kwargs):
        self.clear_impossible()
        self.kept, self.is_final = set(), False
        self.folded, self.unsent = set(), []
        self.texts.clear()

    def clear_impossible(self):
        self.impossible = 0

    def log_request(self, method, name, response_time, content_length):
        if (name, method) not in self.kept:
            name = self.keep_or_fold(name, method)
        if response_time is not None:
            response_time = milliseconds(response_time)
            self.impossible += response_time is None
        self.log(method, name, response_time, content_length)

    def log_error(self, method, name, error):
        name = self.keep_or_fold(name, method)
        self.log_error_of_locust(method, name, self.texts.fold(method, name, error))

    def keep_or_fold(self, name, method):
        """The name under which an endpoint is counted."""
        if (name, method) in self.kept:
            return name
        if not self.is_final and len(self.kept) < MAX_ENDPOINTS_OF_WORKER:
            self.kept.add((name, method))
            return name
        mark = fingerprint(name, method)
        if mark not in self.folded and len(self.folded) < MAX_FOLDED:
            self.folded.add(mark)
            self.unsent.append(mark)
        return OTHER

    def on_endpoints(self, msg, **_kwargs):
        """Only these endpoints keep an entry of their own: the master has reached its limit."""
        self.kept = {(name, method) for name, method in msg.data["kept"]}
        self.is_final = True

    def report(self):
        impossible, self.impossible = self.impossible, 0
        unsent, self.unsent = self.unsent, []
        return {"impossible": impossible, "folded": unsent}


class Failed:
    """A worker's failed requests by response time, since its last report.

    Locust's own histograms hold all requests; minus these they hold the successful ones. A
    request that succeeds, as nearly all do, costs nothing here.
    """

    def __init__(self, environment, recorder):
        self.recorder = recorder
        self.counts = defaultdict(Counter)
        # How late the request that is being counted was sent, ms; set by the open model.
        self.lateness = 0.0
        # After Locust's own listeners, which were added before: both count a request or neither.
        environment.events.request.add_listener(self.on_request)
        environment.events.test_start.add_listener(self.clear)
        after_reset(environment.stats, self.clear)

    def on_request(self, request_type, name, response_time, exception=None, **_kwargs):
        if exception:
            ms = milliseconds(response_time)
            if ms is not None:
                name = self.recorder.keep_or_fold(name, request_type)
                self.counts[name, request_type][bucket_response_time(ms + self.lateness)] += 1

    def clear(self, **_kwargs):
        self.counts = defaultdict(Counter)

    def take(self):
        counts, self.counts = self.counts, defaultdict(Counter)
        return [[name, method, dict(times)] for (name, method), times in counts.items()]


def dump(environment, failed, path):
    """Appends one line per request to a file: the method, the name, the time at which it was sent
    (s since the epoch), its response time from then and from when it was due (ms), and 1 if it
    succeeded, else 0. All workers of a machine may share the file. This is for tests: it costs
    more CPU than the request. A response time that cannot be true is left out."""
    file = open(path, "a", buffering=1)  # whole lines, each in one write

    def on_request(request_type, name, response_time, start_time, exception=None, **_kwargs):
        ms = milliseconds(response_time)
        if ms is None:
            return
        times = f"{start_time:.6f}\t{ms:.6f}\t{ms + failed.lateness:.6f}"
        file.write(f"{request_type}\t{name}\t{times}\t{0 if exception else 1}\n")

    environment.events.request.add_listener(on_request)


class Endpoints:
    """The endpoints of a test that have an entry of their own on the master: the first ones.

    The others are folded before Locust sees a worker's report. A worker that reported one is
    told which endpoints are kept, and folds the others itself from then on.
    """

    def __init__(self, environment, runner):
        self.runner = runner
        self.clear()
        environment.events.test_start.add_listener(self.clear)

    def clear(self, **_kwargs):
        self.kept, self.told, self.folded = set(), set(), set()

    def on_report(self, client_id, data):
        reported = {(entry["name"], entry["method"]) for entry in data["stats"]}
        for entry in data["stats"]:
            entry["name"] = self.keep_or_fold(entry["name"], entry["method"])
        more = data.get("matrix")  # a worker may run another script
        if more is not None:
            for mark in more["folded"]:
                self.add(mark)
            sent = more["open"]["sent"] if more["open"] else []
            for histogram in more["failed"] + sent:
                histogram[0] = self.keep_or_fold(histogram[0], histogram[1])
        if any(name != OTHER and (name, method) not in self.kept for name, method in reported):
            data["errors"] = self.fold_errors(data["errors"])
            self.tell(client_id)

    def keep_or_fold(self, name, method):
        if name == OTHER or (name, method) in self.kept:
            return name
        if len(self.kept) < MAX_ENDPOINTS:
            self.kept.add((name, method))
            return name
        self.add(fingerprint(name, method))
        return OTHER

    def add(self, mark):
        if len(self.folded) < MAX_FOLDED:
            self.folded.add(mark)

    def fold_errors(self, errors):
        folded = {}
        for error in errors.values():
            error["name"] = self.keep_or_fold(error["name"], error["method"])
            key = StatsError.create_key(error["method"], error["name"], error["error"])
            same = folded.setdefault(key, error)
            if same is not error:
                same["occurrences"] += error["occurrences"]
        return folded

    def tell(self, worker):
        if worker not in self.told:
            self.told.add(worker)
            kept = {"kept": [list(endpoint) for endpoint in self.kept]}
            self.runner.send_message("matrix_endpoints", kept, client_id=worker)


class Resets:
    """How often the master's statistics were set to zero, apart from the start of a test.

    It never falls: two snapshots of one test with the same count have no reset between them.
    """

    def __init__(self, environment, runner):
        self.count = 0
        stats = environment.stats
        after_reset(stats, self.add)

        def clear_all(_clear=stats.clear_all):
            if runner.state in (STATE_SPAWNING, STATE_RUNNING):  # else it begins a test
                self.add()
            _clear()

        stats.clear_all = clear_all

    def add(self):
        self.count += 1


def after_reset(stats, listener):
    """Calls `listener` each time these statistics are set to zero: by the button Reset, by
    --reset-stats once all users run, or by a script."""

    def reset_all(_reset=stats.reset_all):
        _reset()
        listener()

    stats.reset_all = reset_all
