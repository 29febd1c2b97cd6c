"""The agent: one connection, and handlers in threads."""

import json
import queue
import random
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable

from .reconnect import End, Reconnect
from .session import Session
from .websocket import Closed, Refused, WebSocket

PATH, PROTOCOL = "/ws/agent", "parallax.agent.v1"
HANDSHAKE_S, DEAD_AFTER_S = 10.0, 25.0


@dataclass
class Task:
    """Work for a handler. `id` is its idempotency key; `cancelled` is set when it is not wanted any more."""

    id: str
    attempt: int
    pattern: str
    input: Any
    cancelled: threading.Event = field(default_factory=threading.Event)


class TaskError(Exception):
    """A failure with a code of its own; `retryable=False` when no further attempt can mend it."""

    def __init__(self, code: str, message: str, retryable: bool = True):
        super().__init__(message)
        self.code, self.retryable = code, retryable


Handler = Callable[[Task], dict]


class Agent:
    """`handlers` maps a capability to a function from a task to `{"result": …, "confidence": …}`."""

    def __init__(
        self,
        urls: list[str],
        handlers: dict[str, Handler],
        name: str | None = None,
        slots: int = 1,
        token: str | None = None,
        max_retries: float = 10,
        metadata: dict | None = None,
    ):
        self._urls = [re.sub("^http", "ws", url).rstrip("/") + PATH for url in urls]
        self._handlers = handlers
        self._token = token
        self._reconnect = Reconnect(max_retries)
        self._session = Session(name or socket.gethostname(), list(handlers), slots, metadata or {})
        self._pool = ThreadPoolExecutor(max_workers=slots)
        self._tasks: dict[int, Task] = {}
        self._outcomes: queue.SimpleQueue[tuple[int, dict]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._stop_at = 0.0
        self._welcomed_at: float | None = None
        self._move_at: float | None = None

    def stop(self, timeout_s: float = 30.0) -> None:
        """Takes no more tasks, finishes and delivers for up to `timeout_s`; then `run` returns. From any thread."""
        self._stop_at = time.monotonic() + timeout_s
        self._stopping.set()

    def run(self) -> None:
        """Connects and works until `stop()`. Raises ConnectionError when it gives up, owing nothing."""
        attempt = random.randrange(len(self._urls))
        try:
            while not self._is_done():
                end = self._connect(self._urls[attempt % len(self._urls)])
                attempt += 1
                if self._is_done():
                    return
                delay_s = self._reconnect.wait_after(end, self._session.owes)
                if end.refused_for_good:
                    self._session.forget()
                self._idle(delay_s)
        finally:
            for task in self._tasks.values():
                task.cancelled.set()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_done(self) -> bool:
        if not self._stopping.is_set():
            return False
        return not self._session.owes or time.monotonic() >= self._stop_at

    def _idle(self, delay_s: float) -> None:
        until = time.monotonic() + delay_s
        while time.monotonic() < until and not self._is_done():
            self._collect()
            time.sleep(min(0.1, max(0.0, until - time.monotonic())))

    def _connect(self, url: str) -> End:
        """One connection, from the attempt to its end."""
        self._welcomed_at = self._move_at = None
        ws = None
        try:
            ws = WebSocket(url, PROTOCOL, self._token, HANDSHAKE_S, 1_048_576)
            self._send(ws, [self._session.hello()])
            end = self._converse(ws, time.monotonic())
        except Refused as error:
            end = End(reason=str(error), status=error.status, retry_after_s=error.retry_after_s)
        except Closed as error:
            end = End(code=error.code, reason=str(error))
        except OSError as error:
            end = End(reason=str(error))
        finally:
            self._session.welcomed = False
            if ws:
                ws.cut()
        now = time.monotonic()
        end.spread_s = self._session.spread_s
        if self._welcomed_at is not None:
            end.welcomed_for_s = now - self._welcomed_at
        if self._move_at is not None:
            end.move_in_s = max(0.0, self._move_at - now)
        return end

    def _converse(self, ws: WebSocket, connected_at: float) -> End:
        """Returns when the connection was left on purpose; raises Closed otherwise."""
        while True:
            text = ws.receive(0.1)
            now = time.monotonic()
            if text is not None:
                self._receive(ws, text, now)
            self._start_and_cancel()
            self._send(ws, self._collect() + self._session.due(now))
            if self._stopping.is_set() and self._session.welcomed and not self._session.draining:
                self._session.draining = True
                self._send(ws, [self._session.status()])
            if self._is_done():
                if self._session.welcomed:
                    self._send(ws, [{"type": "goodbye"}])
                ws.close(1000, "the agent stops")
                return End(1000)
            if self._move_at is not None and now >= self._move_at:
                ws.close(1001, "moves to another node")
                return End(1001)
            if not self._session.welcomed and now - connected_at > HANDSHAKE_S:
                raise Closed(1006, "no welcome in time")
            if now - ws.last_heard > max(DEAD_AFTER_S, self._session.heartbeat_s * 5 / 3):
                raise Closed(1006, "nothing arrived for too long")

    def _receive(self, ws: WebSocket, text: str, now: float) -> None:
        try:
            frame = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(frame, dict):
            return
        self._send(ws, self._session.receive(frame, now))
        if not self._session.welcomed:
            return
        self._welcomed_at = self._welcomed_at or now
        if frame.get("type") == "drain":
            self._move_at = now + frame["reconnectAfterMs"] / 1000
        elif frame.get("type") == "error":
            print(f"a node could not take a frame: {frame.get('message')}")

    @staticmethod
    def _send(ws: WebSocket, frames: list[dict]) -> None:
        for frame in frames:
            ws.send_text(json.dumps(frame, separators=(",", ":")))

    def _start_and_cancel(self) -> None:
        for run, frame in self._session.started:
            task = Task(frame["taskId"], frame["attempt"], frame["pattern"], frame["input"])
            self._tasks[run] = task
            self._pool.submit(self._handle, run, task, frame["capabilities"])
        self._session.started.clear()
        for run in self._session.cancelled:
            if run in self._tasks:
                self._tasks[run].cancelled.set()
        self._session.cancelled.clear()

    def _handle(self, run: int, task: Task, capabilities: list[str]) -> None:
        """In a thread of the pool: whatever happens, an outcome follows."""
        try:
            handler = next(self._handlers[name] for name in capabilities if name in self._handlers)
            answer = handler(task)
            outcome = {"result": answer["result"]}
            if answer.get("confidence") is not None:
                outcome["confidence"] = answer["confidence"]
        except TaskError as error:
            outcome = {"error": {"code": error.code, "message": str(error), "retryable": error.retryable}}
        except Exception as error:
            outcome = {"error": {"code": "handler_failed", "message": repr(error), "retryable": True}}
        self._outcomes.put((run, outcome))

    def _collect(self) -> list[dict]:
        """The frames for what handlers came to since the last look."""
        frames: list[dict] = []
        while not self._outcomes.empty():
            run, outcome = self._outcomes.get()
            self._tasks.pop(run, None)
            frames += self._session.finished(run, outcome, time.monotonic())
        return frames
