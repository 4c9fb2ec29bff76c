"""Somebody else's locustfile: it imports our module, and requests other paths."""

import json
import os

import locust_matrix  # noqa: F401

from locust import HttpUser, constant, task


class Customer(HttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        self.client.headers.update(json.loads(os.environ["REQUEST_HEADERS"]))

    @task
    def look(self):
        self.client.get("/window", timeout=10)
