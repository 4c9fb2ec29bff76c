"""CPU use and event-loop lag of a Locust worker's process, and workers that are lost; a part of
locust_matrix.py."""

import logging
import os
import time
from collections import Counter

import gevent
from locust_matrix_samples import bucket_response_time

logger = logging.getLogger(__name__)

# Not 0.1 s: the kernel enforces a CPU limit in periods of that length, and the probes would then
# always fall at the same moment of a period.
PROBE_EVERY_S = 0.097


class Health:
    """The CPU time that a worker's process has used, and how late its event loop runs.

    About ten probes a second measure the lag. A probe that a busy loop could not start in time
    is counted with the lag that it would have had: a loop that is blocked for a second gives ten
    late probes.
    """

    def __init__(self):
        self.lag = Counter()
        self.group = cpu_group()
        gevent.spawn(self.probe)

    def probe(self):
        due = time.perf_counter() + PROBE_EVERY_S
        while True:
            gevent.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            while due <= now:
                # Two digits are enough for a limit, and each report of a worker has all buckets.
                self.lag[bucket_response_time(1000 * (now - due), digits=2)] += 1
                due += PROBE_EVERY_S

    def report(self):
        limit, periods, throttled = read_cpu_group(self.group)
        return {
            "at": time.time(),
            "cpu_seconds": time.process_time(),
            "cores": usable_cores(),
            "cpu_limit": limit,
            "periods": periods,
            "throttled": throttled,
            "lag": dict(self.lag),
        }


def usable_cores():
    if hasattr(os, "sched_getaffinity"):  # it respects the cgroup's cpuset
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_group(root="/sys/fs/cgroup", own="/proc/self/cgroup"):
    """The folder of the cgroup with the lowest CPU limit that applies to this process; without
    a limit, the process's own cgroup; None if there is no cgroup.

    A container sees its own cgroup at the root, or it sees the whole tree and its path in it.
    """
    path = None
    for line in (read(own) or "").splitlines():
        _, controllers, there = line.split(":", 2)
        if "cpu" in controllers.split(","):
            path, roots = there, [f"{root}/{controllers}", f"{root}/cpu"]
            break
        if controllers == "":
            path, roots = there, [root]
    if path is None:
        return None
    folders = []
    for start in roots:
        parts = [part for part in path.split("/") if part]
        folders += ["/".join([start, *parts[:n]]) for n in range(len(parts), -1, -1)]
    folders = [folder for folder in folders if read(f"{folder}/cpu.stat") is not None]
    limited = [folder for folder in folders if cpu_limit(folder) is not None]
    return min(limited, key=cpu_limit) if limited else next(iter(folders), None)


def read_cpu_group(folder):
    """The CPU limit in cores, the number of periods so far, and how many were throttled."""
    if folder is None:
        return None, None, None
    lines = [line.split() for line in (read(f"{folder}/cpu.stat") or "").splitlines()]
    stat = {words[0]: int(words[1]) for words in lines if len(words) == 2}
    return cpu_limit(folder), stat.get("nr_periods"), stat.get("nr_throttled")


def cpu_limit(folder):
    quota, period = [*(read(f"{folder}/cpu.max") or "").split(), None, None][:2]
    if quota is None:  # version 1
        quota, period = read(f"{folder}/cpu.cfs_quota_us"), read(f"{folder}/cpu.cfs_period_us")
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None  # no limit ("max"), or no such file


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return None


def forget_lost_workers(runner):
    """Removes the workers from Locust's list whose heartbeats are missing. Locust does so itself
    after another minute. If a test runs at that moment, it then starts the users of this test
    anew, in the middle of a measurement. A worker that comes back is asked to connect again."""
    for client in runner.clients.missing:
        logger.info("%s was lost before this test: it is removed from the list", client.id)
        del runner.clients[client.id]
