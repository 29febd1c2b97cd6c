"""What an agent holds and what it owes, across connections. No sockets, no threads, no clock of its own."""

import json
import random
import re
from dataclasses import dataclass

WINDOW = 32
FIRST_RESEND_S, LONGEST_RESEND_S = 5.0, 30.0
MAX_OWED = 100
MAX_NESTING = 200


@dataclass
class Held:
    task_id: str
    execution_id: str
    attempt: int
    run: int
    deadline: float


@dataclass
class Owed:
    frame: dict
    deadline: float
    due: float = 0.0
    sendings: int = 0
    in_flight: bool = False


class Session:
    """`receive` and `finished` return the frames to send; what else is to be done is in `started` and `cancelled`."""

    def __init__(self, name: str, capabilities: list[str], slots: int, metadata: dict):
        self._about = {
            "name": name,
            "capabilities": capabilities,
            "maxConcurrentTasks": slots,
            "metadata": metadata,
        }
        self._slots = slots
        self._identity: dict = {}
        self._connection = 0
        self._runs = 0
        self._held: dict[str, Held] = {}
        self._owed: dict[str, Owed] = {}
        self._running: dict[int, str] = {}
        self._max_bytes = 1_048_576
        self._grace_s = 0.0
        self.heartbeat_s = 15.0
        self.spread_s = 5.0
        self.welcomed = False
        self.draining = False
        self.started: list[tuple[int, dict]] = []
        self.cancelled: list[int] = []

    @property
    def owes(self) -> bool:
        return bool(self._held or self._owed)

    @property
    def owed(self) -> int:
        return len(self._owed)

    def hello(self) -> dict:
        self._connection += 1
        self.welcomed = False
        holding = [
            {"taskId": held.task_id, "executionId": held.execution_id, "attempt": held.attempt}
            for held in self._held.values()
        ]
        owed = list(self._owed)[:10_000]
        rest = {"connection": self._connection, "holding": holding, "owed": owed}
        return {"type": "hello", **self._about, **self._identity, **rest}

    def forget(self) -> None:
        """The next connection begins a new session."""
        self._identity = {}

    def receive(self, frame: dict, now: float) -> list[dict]:
        kind = frame.get("type")
        if kind == "welcome" and not self.welcomed:
            return self._welcome(frame, now)
        if not self.welcomed:
            return []
        if kind == "task":
            return self._task(frame, now)
        if kind == "ack":
            self._ack(frame, now)
        elif kind == "token":
            self._identity["resumeToken"] = frame["resumeToken"]
        elif kind == "cancel":
            held = self._held.pop(frame["taskId"], None)
            if held:
                self.cancelled.append(held.run)
        return self.due(now)

    def _welcome(self, frame: dict, now: float) -> list[dict]:
        self.welcomed = True
        self._identity = {"agentId": frame["agentId"], "resumeToken": frame["resumeToken"]}
        self._max_bytes = frame["limits"]["maxPayloadBytes"]
        self.heartbeat_s = frame["heartbeatMs"] / 1000
        self._grace_s = frame["reconnect"]["graceMs"] / 1000
        self.spread_s = frame["reconnect"]["spreadMs"] / 1000
        for owed in self._owed.values():
            owed.in_flight, owed.due = False, 0.0
        return ([self.status()] if self.draining else []) + self.due(now)

    def status(self) -> dict:
        return {"type": "status", "maxConcurrentTasks": self._slots, "draining": self.draining}

    def _task(self, frame: dict, now: float) -> list[dict]:
        task_id, attempt = frame["taskId"], frame["attempt"]
        accept = {"type": "accept", "taskId": task_id, "attempt": attempt}
        held = self._held.get(task_id)
        if held:
            held.attempt = max(held.attempt, attempt)
            return [accept]
        owed = self._owed.get(task_id)
        if owed and (owed.frame["type"] == "result" or attempt <= owed.frame["attempt"]):
            owed.in_flight, owed.due = False, 0.0
            return self.due(now)
        if self.draining or len(self._running) >= self._slots or len(self._owed) >= MAX_OWED:
            reason = "draining" if self.draining else "busy"
            return [{"type": "refuse", "taskId": task_id, "attempt": attempt, "reason": reason}]
        self._owed.pop(task_id, None)
        self._runs += 1
        deadline = now + frame["deadlineMs"] / 1000
        self._held[task_id] = Held(task_id, frame["executionId"], attempt, self._runs, deadline)
        self._running[self._runs] = task_id
        self.started.append((self._runs, frame))
        return [accept]

    def _ack(self, frame: dict, now: float) -> None:
        owed = self._owed.get(frame["taskId"])
        if not owed:
            return
        if frame["outcome"] == "unknown" and now < owed.deadline + self._grace_s:
            owed.in_flight = False
        else:
            del self._owed[frame["taskId"]]

    def finished(self, run: int, outcome: dict, now: float) -> list[dict]:
        """`outcome` has `result` and perhaps `confidence`, or `error`."""
        task_id = self._running.pop(run)
        held = self._held.get(task_id)
        if not held or held.run != run:
            return []
        del self._held[task_id]
        about = {"taskId": task_id, "executionId": held.execution_id, "attempt": held.attempt}
        self._owed[task_id] = Owed(self._seal(about, outcome), held.deadline)
        return self.due(now)

    def _seal(self, about: dict, outcome: dict) -> dict:
        """A frame that a node can take, whatever the handler came to: another one would be sent for ever."""
        if "error" in outcome:
            error = outcome["error"]
            return failure(about, error["code"], error["message"], error["retryable"])
        confidence = outcome.get("confidence", 0)
        if not isinstance(confidence, (int, float)) or not 0 <= confidence <= 1:
            return failure(about, "invalid_result", "answering a task: give a confidence from 0 to 1")
        try:
            text = json.dumps(outcome, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            return failure(about, "invalid_result", f"writing a result as JSON: {error}")
        if nesting(text) >= MAX_NESTING:
            return failure(about, "invalid_result", f"writing a result: nest at most {MAX_NESTING} deep")
        frame = {"type": "result", **about, **outcome}
        size = len(json.dumps(frame, separators=(",", ":")).encode())
        if size > self._max_bytes:
            return failure(about, "result_too_large", f"a result of {size} bytes; return at most {self._max_bytes}")
        return frame

    def due(self, now: float) -> list[dict]:
        """What is to be sent now: at most a window of results is on the way at once."""
        if not self.welcomed:
            return []
        for task_id, owed in list(self._owed.items()):
            if owed.in_flight and owed.due <= now:
                owed.in_flight = False
                self._owed[task_id] = self._owed.pop(task_id)
        frames = []
        in_flight = sum(owed.in_flight for owed in self._owed.values())
        for owed in self._owed.values():
            if in_flight >= WINDOW:
                break
            if owed.in_flight or owed.due > now:
                continue
            bound = min(LONGEST_RESEND_S, FIRST_RESEND_S * 2**owed.sendings)
            owed.in_flight, owed.due = True, now + bound * (0.5 + random.random())
            owed.sendings += 1
            in_flight += 1
            frames.append(owed.frame)
        return frames


def failure(about: dict, code: str, message: str, retryable: bool = False) -> dict:
    code = code if re.fullmatch("[a-z0-9_]{1,64}", code) else "handler_failed"
    return {"type": "failure", **about, "error": {"code": code, "message": message[:8192], "retryable": retryable}}


def nesting(text: str) -> int:
    """How deep the arrays and objects of a JSON text are nested."""
    depth = deepest = 0
    for bracket in re.sub(r'"(?:[^"\\]|\\.)*"', "", text):
        if bracket in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif bracket in "]}":
            depth -= 1
    return deepest
