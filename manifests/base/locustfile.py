"""The behaviour of a user of the inference service. Edit it for your own service."""

import json
import os
import random

# Optional: exact measurement windows and finer percentiles. Locust works without this module.
import locust_matrix  # noqa: F401

from locust import HttpUser, constant, task

# HttpUser has no timeout by default: a request without an answer would block its user forever.
TIMEOUT_S = float(os.getenv("REQUEST_TIMEOUT_S", "60"))


def read_headers(text):
    """Headers as a JSON object, for example {"Authorization": "Bearer …"}.

    They are secrets. If one could not be sent, every request would fail with a message that quotes
    it, and this message would be in logs, records and reports. So it is refused here, by its name.
    """
    try:
        headers = json.loads(text or "{}")
    except ValueError:
        headers = None
    if not isinstance(headers, dict):
        raise SystemExit("REQUEST_HEADERS is not a JSON object: correct the Secret inference-headers")
    for name, value in headers.items():
        can_be_sent = isinstance(value, str) and value == value.strip() and value.isprintable()
        if not can_be_sent or not value.isascii():
            raise SystemExit(
                f"REQUEST_HEADERS: the value of {name!r} is not a line of ASCII text, "
                "or it begins or ends with a space: correct the Secret inference-headers"
            )
    return headers


HEADERS = read_headers(os.getenv("REQUEST_HEADERS"))
# Certificates of a private certificate authority.
CA_FILE = os.getenv("CA_FILE", "")
STEPS = 30


def body(rng):
    """The body of a prediction: 30 time steps of a radio cell with 11 features each."""
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


# Made once, because making a body costs more CPU than sending it. They are the same in every run.
BODIES = [body(random.Random(seed)) for seed in range(32)]


class InferenceUser(HttpUser):
    # Think time in seconds after each answer. In both cases this is a closed loop: a user sends its
    # next request only after it has the last answer, so a slower service gets fewer requests. With
    # 0 the loop shows the capacity of the service. It does not show the latency that users would
    # see who do not wait for each other; for that, use the open model.
    wait_time = constant(float(os.getenv("THINK_TIME_S", "0")))

    def on_start(self):
        self.client.headers["User-Agent"] = "locust"  # the stub counts requests by caller
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
            # Locust itself marks the other statuses as failed.
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
