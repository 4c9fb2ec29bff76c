"""Failures that differ only in an id, a time or an address count as one; a part of
locust_matrix.py.

Otherwise every failure of a service that puts a request id into its answers would be a kind of its
own: the workers and the master would keep all of them, and no report could say how many there were
of which kind.
"""

import re
from collections import defaultdict

from locust.stats import StatsError

FOLDED = "…"
# UUIDs; words of 12 or more characters with a digit, such as hashes and request ids; numbers of
# five or more digits. A status, a port below 10000 or a timeout stays.
IDS = re.compile(
    r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[0-9a-fA-F]*\d)(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b"
    r"|\b(?=\w*\d)[A-Za-z0-9_]{12,}\b"
    r"|(?<![\w.])\d{5,}\b"
)
NUMBERS = re.compile(r"\d+(?:[.:]\d+)*")
# Kinds per endpoint, from which on every number in a text is folded, or the whole text.
MANY_KINDS, MAX_KINDS = 20, 100
OTHER_ERRORS = "(other errors)"


class ErrorTexts:
    """The texts under which the failures of this test are counted."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.kinds = defaultdict(set)

    def fold(self, method, name, error):
        kinds = self.kinds[method, name]
        text = IDS.sub(FOLDED, StatsError.parse_error(error))
        if text not in kinds and len(kinds) >= MANY_KINDS:
            text = NUMBERS.sub(FOLDED, text)
        if text not in kinds and len(kinds) >= MAX_KINDS:
            return OTHER_ERRORS
        kinds.add(text)
        return text
