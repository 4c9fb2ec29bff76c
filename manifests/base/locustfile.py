"""What a user of the inference service does. Edit this for your own service."""

import json
import os
import random

# Optional: exact windows and finer percentiles. Locust works without it.
import locust_matrix  # noqa: F401

from locust import HttpUser, constant, task

# A request without an answer would hold its user for ever: requests has no timeout by itself.
TIMEOUT_S = float(os.getenv("REQUEST_TIMEOUT_S", "60"))
# A JSON object, for example with an Authorization; and the certificates of a private authority.
HEADERS = json.loads(os.getenv("REQUEST_HEADERS") or "{}")
CA_FILE = os.getenv("CA_FILE", "")
STEPS = 30


def body(rng):
    """30 measurements of one cell, 11 features each, around the values of a quiet hour."""
    load = rng.uniform(0.5, 1.5)
    data = []
    for i in range(STEPS):
        features = {
            "down": round(1234.56 * load * rng.uniform(0.9, 1.1), 2),
            "up": round(789.01 * load * rng.uniform(0.9, 1.1), 2),
            "rnti_count": round(15 * load),
            "mcs_down": rng.randint(16, 20),
            "mcs_up": rng.randint(10, 14),
            "bler_down": round(rng.uniform(0.01, 0.03), 3),
            "bler_up": round(rng.uniform(0.005, 0.015), 3),
            "prb_down": round(45 * load),
            "prb_up": round(30 * load),
            "sinr_down": round(rng.uniform(20, 25), 1),
            "sinr_up": round(rng.uniform(18, 22), 1),
        }
        data.append({"timestamp": f"2024-01-15T10:{i:02}:00", "features": features})
    return json.dumps({"data": data}).encode()


# Made once, and the same in every run: making a body costs more than sending it.
BODIES = [body(random.Random(seed)) for seed in range(32)]


class InferenceUser(HttpUser):
    # 0 is a closed loop: a user sends its next request when it has the last answer, so a slower
    # service gets fewer requests. It shows what the service can do, not what a crowd that does
    # not wait would feel. A think time, in seconds, is added after each answer.
    wait_time = constant(float(os.getenv("THINK_TIME_S", "0")))

    def on_start(self):
        self.client.headers["User-Agent"] = "locust"  # servers count by caller
        self.client.headers.update(HEADERS)
        if os.path.exists(CA_FILE):
            self.client.verify = CA_FILE

    @task(8)
    def predict(self):
        headers = {"Content-Type": "application/json"}
        with self.client.post(
            "/predict",
            data=random.choice(BODIES),
            headers=headers,
            timeout=TIMEOUT_S,
            catch_response=True,
        ) as response:
            # Only a 200 can be wrong in this way; Locust itself fails every other status.
            if response.status_code == 200 and not has_predictions(response.content):
                response.failure("200 without predictions")

    @task(1)
    def health(self):
        self.client.get("/healthz", timeout=TIMEOUT_S)

    @task(1)
    def metrics(self):
        self.client.get("/metrics", timeout=TIMEOUT_S)


def has_predictions(content):
    try:
        return bool(json.loads(content)["predictions"])
    except (ValueError, KeyError, TypeError):
        return False
