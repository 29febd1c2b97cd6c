"""When to connect again."""

import random
from dataclasses import dataclass

STABLE_S, BUSY_SPREAD_S, LONGEST_BOUND_S, REBALANCE = 10.0, 5.0, 30.0, 4003


@dataclass
class End:
    """How a connection, or the attempt to make one, ended."""

    code: int = 1006
    reason: str = ""
    status: int | None = None
    retry_after_s: float | None = None
    welcomed_for_s: float | None = None
    spread_s: float = 5.0
    move_in_s: float | None = None

    @property
    def refused_for_good(self) -> bool:
        return 4500 <= self.code <= 4999 or self.status in (401, 403)


class Reconnect:
    def __init__(self, max_retries: float):
        self._max_retries = max_retries
        self._retries = 0
        self._waits = 0

    def wait_after(self, end: End, owes: bool) -> float:
        """How many seconds to wait. Raises ConnectionError to give up, which an agent that owes never does."""
        if (end.welcomed_for_s or 0) >= STABLE_S:
            self._retries = self._waits = 0
        if end.move_in_s is not None:
            return end.move_in_s
        if end.status in (429, 503):
            if end.retry_after_s is None:
                return self._backoff()
            return end.retry_after_s + random.random() * BUSY_SPREAD_S
        self._retries += 1
        if not owes and (end.refused_for_good or self._retries > self._max_retries):
            raise ConnectionError(f"gave up: {end.reason}")
        if end.welcomed_for_s is not None and end.code != REBALANCE and not end.refused_for_good:
            return random.random() * end.spread_s
        return self._backoff()

    def _backoff(self) -> float:
        bound = min(LONGEST_BOUND_S, 2.0 ** min(self._waits, 10))
        self._waits += 1
        return random.random() * bound
