"""A WebSocket client (RFC 6455), as much of it as an agent needs."""

import base64
import hashlib
import os
import socket
import ssl
import struct
import time
from urllib.parse import urlsplit

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
SEND_TIMEOUT_S = 10.0


class Refused(Exception):
    """The upgrade was answered with something other than 101."""

    def __init__(self, status: int, retry_after_s: float | None):
        super().__init__(f"HTTP {status}")
        self.status = status
        self.retry_after_s = retry_after_s


class Closed(Exception):
    """The connection has ended; 1006 without a closing handshake."""

    def __init__(self, code: int, reason: str = ""):
        super().__init__(f"closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class WebSocket:
    """One connection. Not safe for use by several threads."""

    def __init__(self, url: str, protocol: str, token: str | None, timeout_s: float, max_bytes: int):
        self._buffer = b""
        self._message = b""
        self._max_bytes = max_bytes
        self.last_heard = time.monotonic()
        parts = urlsplit(url)
        secure = parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        self._socket = socket.create_connection((parts.hostname, port), timeout=timeout_s)
        try:
            if secure:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=parts.hostname)
            self._upgrade(parts, protocol, token)
        except BaseException:
            self._socket.close()
            raise

    def _upgrade(self, parts, protocol: str, token: str | None) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path} HTTP/1.1",
            f"Host: {parts.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Protocol: {protocol}",
        ]
        if token is not None:
            lines.append(f"Authorization: Bearer {token}")
        self._socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > 65536:
                raise Closed(1006, "the answer to the upgrade is too long")
            self._read_more()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        first, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
        status = int(first.split(" ")[1])
        if status != 101:
            retry_after = headers.get("retry-after", "")
            raise Refused(status, float(retry_after) if retry_after.isdigit() else None)
        expected = base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()
        if headers.get("sec-websocket-accept") != expected or headers.get("sec-websocket-protocol") != protocol:
            raise Closed(1006, "the answer to the upgrade is not one of this protocol")

    def _read_more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise Closed(1006, "the connection was closed")
        self._buffer += data
        self.last_heard = time.monotonic()

    def receive(self, timeout_s: float) -> str | None:
        """The next text; None if none came in time. Answers pings. Raises Closed."""
        until = time.monotonic() + timeout_s
        while True:
            frame = self._next_frame()
            if frame is not None:
                text = self._take(*frame)
                if text is not None:
                    return text
                continue
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                self._read_more()
            except (TimeoutError, ssl.SSLWantReadError):
                return None
            except OSError as error:
                raise Closed(1006, str(error)) from error

    def _next_frame(self) -> tuple[bool, int, bytes] | None:
        """A whole frame from the buffer: final, opcode, payload."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        final, opcode, length, at = bool(buffer[0] & 0x80), buffer[0] & 0x0F, buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, at = struct.unpack(">H", buffer[2:4])[0], 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            length, at = struct.unpack(">Q", buffer[2:10])[0], 10
        if length + len(self._message) > self._max_bytes:
            self.close(1009, "too long")
            raise Closed(1009, "a frame was too long")
        if len(buffer) < at + length:
            return None
        self._buffer = buffer[at + length :]
        return final, opcode, buffer[at : at + length]

    def _take(self, final: bool, opcode: int, payload: bytes) -> str | None:
        if opcode == PING:
            self._send(PONG, payload)
        elif opcode == CLOSE:
            code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
            self._answer_close(payload)
            raise Closed(code, payload[2:].decode("utf-8", "replace"))
        elif opcode in (0, TEXT):
            self._message += payload
            if final:
                text, self._message = self._message.decode("utf-8", "replace"), b""
                return text
        return None

    def send_text(self, text: str) -> None:
        self._send(TEXT, text.encode())

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
        mask = os.urandom(4)
        # Whole integers make masking fast without a loop over bytes.
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        masked = (int.from_bytes(payload, "big") ^ key).to_bytes(length, "big")
        self._socket.settimeout(SEND_TIMEOUT_S)
        try:
            self._socket.sendall(head + mask + masked)
        except OSError as error:
            raise Closed(1006, str(error)) from error

    def _answer_close(self, payload: bytes) -> None:
        try:
            self._send(CLOSE, payload[:2])
        except Closed:
            pass
        self.cut()

    def close(self, code: int, reason: str) -> None:
        """Closes, and waits up to three seconds for the other end to do the same."""
        try:
            self._send(CLOSE, struct.pack(">H", code) + reason.encode()[:100])
            until = time.monotonic() + 3
            while time.monotonic() < until:
                self.receive(until - time.monotonic())
        except Closed:
            pass
        self.cut()

    def cut(self) -> None:
        self._socket.close()
