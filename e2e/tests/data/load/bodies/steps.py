"""The body of a prediction."""

NAMES = "down up rnti_count mcs_down mcs_up bler_down bler_up prb_down prb_up sinr_down sinr_up".split()


def body(most):
    features = dict.fromkeys(NAMES, most / 2)
    return {"data": [{"timestamp": f"2024-01-15T10:{n:02}:00", "features": features} for n in range(30)]}
