"""`python3 -m unittest`: the agent against a node that follows a script."""

import base64
import hashlib
import json
import socket
import struct
import threading
import time
import unittest

from parallax_agent import Agent, TaskError
from parallax_agent.reconnect import End, Reconnect
from parallax_agent.session import Session
from parallax_agent.websocket import GUID

WELCOME = {
    "type": "welcome",
    "agentId": "agent_a",
    "nodeId": "node-1",
    "resumeToken": "secret",
    "resumed": False,
    "limits": {"maxPayloadBytes": 4096},
    "heartbeatMs": 15000,
    "reconnect": {"graceMs": 30000, "spreadMs": 50},
    "later": "ignored",
}


def task(number: int = 0, attempt: int = 1, **more) -> dict:
    frame = {"type": "task", "taskId": f"exec_a:{number}", "executionId": "exec_a", "attempt": attempt}
    rest = {"capabilities": ["echo"], "pattern": "p", "input": number, "deadlineMs": 60000}
    return {**frame, **rest, **more}


class Peer:
    """The node's side of one connection."""

    def __init__(self, connection: socket.socket):
        self.socket = connection
        self.file = connection.makefile("rb")
        self.request = []
        while (line := self.file.readline().strip()) != b"":
            self.request.append(line.decode())

    def accept(self) -> "Peer":
        key = next(line.split(": ")[1] for line in self.request if line.startswith("Sec-WebSocket-Key"))
        digest = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        self.socket.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {digest}\r\nSec-WebSocket-Protocol: parallax.agent.v1\r\n\r\n".encode()
        )
        return self

    def send(self, frame: dict) -> None:
        payload = json.dumps(frame).encode()
        self.raw(1, payload)

    def raw(self, opcode: int, payload: bytes) -> None:
        head = struct.pack(">BBH", 0x80 | opcode, 126, len(payload))
        self.socket.sendall(head + payload)

    def frame(self) -> tuple[int, bytes]:
        first, second = self.file.read(2)
        assert second & 0x80, "a client masks its frames"
        length = second & 0x7F
        if length == 126:
            length = struct.unpack(">H", self.file.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self.file.read(8))[0]
        mask = self.file.read(4)
        data = self.file.read(length)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))

    def next(self) -> dict:
        opcode, data = self.frame()
        assert opcode == 1, (opcode, data)
        return json.loads(data)

    def welcome(self, **more) -> dict:
        self.accept()
        hello = self.next()
        self.send({**WELCOME, **more})
        return hello


class AgentTest(unittest.TestCase):
    def setUp(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.settimeout(10)
        self.addCleanup(self.server.close)
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.error: BaseException | None = None

    def start(self, handler, **options) -> Agent:
        agent = Agent([self.url], {"echo": handler}, name="test", **options)

        def run() -> None:
            try:
                agent.run()
            except ConnectionError as error:
                self.error = error

        self.thread = threading.Thread(target=run)
        self.thread.start()
        self.addCleanup(self.thread.join, 10)
        self.addCleanup(agent.stop, 0)
        return agent

    def peer(self) -> Peer:
        connection, _ = self.server.accept()
        connection.settimeout(10)
        self.addCleanup(connection.close)
        return Peer(connection)

    def test_works_and_stops(self) -> None:
        agent = self.start(lambda task: {"result": task.input, "confidence": 0.5}, token="secret")
        peer = self.peer()
        self.assertIn("Authorization: Bearer secret", peer.request)
        hello = peer.welcome()
        self.assertEqual((hello["type"], hello["connection"], hello["capabilities"]), ("hello", 1, ["echo"]))
        peer.send(task())
        self.assertEqual(peer.next(), {"type": "accept", "taskId": "exec_a:0", "attempt": 1})
        result = peer.next()
        self.assertEqual((result["type"], result["result"], result["confidence"]), ("result", 0, 0.5))
        peer.raw(9, b"are you there")
        self.assertEqual(peer.frame(), (10, b"are you there"))
        peer.send({"type": "ack", "taskId": "exec_a:0", "attempt": 1, "outcome": "counted"})
        agent.stop()
        self.assertEqual([peer.next()["type"], peer.next()["type"]], ["status", "goodbye"])
        self.assertEqual(peer.frame()[0], 8)

    def test_delivers_after_a_loss_what_was_not_acknowledged(self) -> None:
        go = threading.Event()
        self.start(lambda task: go.wait(10) and {"result": "late"})
        peer = self.peer()
        peer.welcome()
        peer.send(task())
        peer.next()
        peer.socket.shutdown(socket.SHUT_RDWR)
        second = self.peer()
        hello = second.welcome(resumed=True)
        self.assertEqual((hello["agentId"], hello["resumeToken"], hello["connection"]), ("agent_a", "secret", 2))
        self.assertEqual(hello["holding"], [{"taskId": "exec_a:0", "executionId": "exec_a", "attempt": 1}])
        go.set()
        self.assertEqual(second.next()["result"], "late")
        second.socket.shutdown(socket.SHUT_RDWR)
        third = self.peer()
        self.assertEqual(third.welcome(resumed=True)["owed"], ["exec_a:0"])
        self.assertEqual(third.next()["result"], "late")
        third.send({"type": "ack", "taskId": "exec_a:0", "attempt": 1, "outcome": "superseded"})

    def test_moves_when_the_node_drains(self) -> None:
        self.start(lambda task: {"result": 1})
        peer = self.peer()
        peer.welcome()
        peer.send({"type": "drain", "reconnectAfterMs": 100})
        opcode, data = peer.frame()
        self.assertEqual((opcode, struct.unpack(">H", data[:2])[0]), (8, 1001))
        self.assertEqual(self.peer().welcome()["connection"], 2)

    def test_comes_back_when_the_node_is_full(self) -> None:
        self.start(lambda task: {"result": 1}, max_retries=0)
        peer = self.peer()
        peer.socket.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\n\r\n")
        self.assertEqual(self.peer().welcome()["type"], "hello")

    def test_gives_up_when_the_token_is_refused(self) -> None:
        self.start(lambda task: {"result": 1})
        self.peer().socket.sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
        self.thread.join(10)
        self.assertIsInstance(self.error, ConnectionError)

    def test_failures(self) -> None:
        def handler(current):
            if current.input == 0:
                raise TaskError("bad_input", "no text", retryable=False)
            return {"result": {1: "x" * 5000, 2: object()}.get(current.input, 0), "confidence": 2}

        self.start(handler, slots=4)
        peer = self.peer()
        peer.welcome()
        codes = {}
        for number in range(4):
            peer.send(task(number))
        for _ in range(8):
            frame = peer.next()
            if frame["type"] == "failure":
                codes[frame["taskId"]] = (frame["error"]["code"], frame["error"]["retryable"])
        self.assertEqual(codes["exec_a:0"], ("bad_input", False))
        self.assertEqual({code for code, _ in list(codes.values())[1:]}, {"invalid_result"})

    def test_cancel(self) -> None:
        seen = threading.Event()
        self.start(lambda current: current.cancelled.wait(10) and seen.set() or {"result": 1})
        peer = self.peer()
        peer.welcome()
        peer.send(task())
        peer.next()
        peer.send({"type": "cancel", "taskId": "exec_a:0", "reason": "timeout"})
        self.assertTrue(seen.wait(10))
        peer.send(task(1))
        while (frame := peer.next())["type"] == "refuse":
            peer.send(task(1))
            time.sleep(0.05)
        self.assertEqual(frame["type"], "accept")


class SessionTest(unittest.TestCase):
    def session(self, slots: int = 4) -> Session:
        session = Session("test", ["echo"], slots, {})
        session.hello()
        session.receive(WELCOME, 0)
        return session

    def owing(self, count: int = 1) -> Session:
        session = self.session(slots=200)
        for number in range(count):
            session.receive(task(number), 0)
        for run in range(1, count + 1):
            session.finished(run, {"result": run}, 0)
        return session

    def test_sends_again_on_a_timer(self) -> None:
        session = self.owing()
        self.assertEqual(session.due(2.4), [])
        self.assertEqual(len(session.due(7.6)), 1)
        self.assertEqual(session.due(7.7), [])

    def test_keeps_what_is_unknown_until_the_deadline_and_the_grace(self) -> None:
        session = self.owing()
        ack = {"type": "ack", "taskId": "exec_a:0", "attempt": 1, "outcome": "unknown"}
        session.receive(ack, 89)
        self.assertEqual(session.owed, 1)
        session.receive(ack, 90)
        self.assertEqual(session.owed, 0)

    def test_has_a_window(self) -> None:
        session = self.owing(40)
        session.welcomed = False
        session.hello()
        self.assertEqual(len(session.receive(WELCOME, 1)), 32)

    def test_takes_a_task_once(self) -> None:
        session = self.session()
        self.assertEqual(session.receive(task(), 0)[0]["type"], "accept")
        again = {"type": "accept", "taskId": "exec_a:0", "attempt": 2}
        self.assertEqual(session.receive(task(attempt=2), 0), [again])
        self.assertEqual(len(session.started), 1)
        self.assertEqual(session.finished(1, {"result": 1}, 0)[0]["attempt"], 2)
        self.assertEqual(session.receive(task(attempt=3), 1)[0]["type"], "result")
        self.assertEqual(len(session.started), 1)

    def test_refuses_what_it_can_not_take(self) -> None:
        session = self.session(slots=1)
        session.receive(task(0), 0)
        self.assertEqual(session.receive(task(1), 0)[0]["reason"], "busy")
        session.draining = True
        self.assertEqual(session.receive(task(1), 0)[0]["reason"], "draining")

    def test_comes_back_with_the_newest_token(self) -> None:
        session = self.session()
        session.receive({"type": "token", "resumeToken": "another secret"}, 0)
        self.assertEqual(session.hello()["resumeToken"], "another secret")

    def test_refuses_to_keep_what_is_nested_too_deep(self) -> None:
        session = self.session()
        session.receive(task(), 0)
        deep: list = []
        for _ in range(300):
            deep = [deep]
        self.assertEqual(session.finished(1, {"result": deep}, 0)[0]["error"]["code"], "invalid_result")


class ReconnectTest(unittest.TestCase):
    def test_never_gives_up_while_it_owes(self) -> None:
        reconnect = Reconnect(0)
        for _ in range(50):
            self.assertLessEqual(reconnect.wait_after(End(), owes=True), 30)
        with self.assertRaises(ConnectionError):
            reconnect.wait_after(End(), owes=False)

    def test_counts_no_busy_node_and_no_move(self) -> None:
        reconnect = Reconnect(0)
        for _ in range(50):
            self.assertGreaterEqual(reconnect.wait_after(End(status=503, retry_after_s=2), owes=False), 2)
            self.assertEqual(reconnect.wait_after(End(move_in_s=1.5), owes=False), 1.5)

    def test_a_stable_connection_begins_a_new_row(self) -> None:
        reconnect = Reconnect(1)
        reconnect.wait_after(End(), owes=False)
        reconnect.wait_after(End(welcomed_for_s=10), owes=False)
        with self.assertRaises(ConnectionError):
            reconnect.wait_after(End(welcomed_for_s=1), owes=False)


if __name__ == "__main__":
    unittest.main()
