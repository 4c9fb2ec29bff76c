"""What a customer of the shop does."""

import json
import os

# Gives exact windows and fine percentiles. deploy puts the module beside this file.
import locust_matrix  # noqa: F401

from locust import HttpUser, constant, task


class Customer(HttpUser):
    # matrix.yaml repeats this time as think_time, which Little's law needs.
    wait_time = constant(0.1)

    def on_start(self):
        # The headers come from the Secret inference-headers.
        self.client.headers.update(json.loads(os.getenv("REQUEST_HEADERS") or "{}"))

    @task
    def look(self):
        self.client.get("/window", timeout=10)
