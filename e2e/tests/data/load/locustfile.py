"""Needs a package of its own folder, and data in a folder whose name has a space."""

import json
import pathlib

import locust_matrix  # noqa: F401
from bodies.steps import body

from locust import HttpUser, constant_throughput, task

HERE = pathlib.Path(__file__).parent
MOST = json.loads((HERE / "recorded data" / "2 share.json").read_text())["most"]
assert (HERE / "latin.bin").read_bytes() == b"\xe9\xff"


class Caller(HttpUser):
    # Each user makes one visit of two requests each half second, however long they take.
    wait_time = constant_throughput(2)

    def on_start(self):
        self.client.headers["User-Agent"] = "locust"

    @task
    def predict(self):
        for _ in range(2):
            self.client.post("/predict", json=body(MOST), timeout=10)
