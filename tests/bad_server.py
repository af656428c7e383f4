"""An HTTP server that misbehaves as told, and writes down what it was asked."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

_PIECE = 1 << 14


@dataclass(frozen=True)
class Answer:
    """How a request is answered.

    Attributes:
        body: of the file as it lies on the server.
        status: 200 becomes 206 where a range is asked for and given; 0: the body is all that is
            sent, without a word of HTTP.
        headers: further ones; a Content-Length here replaces the true one.
        tag: entity tag.
        ranges: whether parts are given at all.
        heeds_if_range: whether a part of another version is refused.
        stop: bytes of the body after which ``ending`` comes; None: all are sent.
        ending: "close", "reset" (as by a broken line) or "silence".
        length: "known", "chunked", or "unknown" (the end of the connection is the end).
        pause: seconds before every piece.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    tag: str | None = '"1"'
    ranges: bool = True
    heeds_if_range: bool = True
    stop: int | None = None
    ending: str = "close"
    length: str = "known"
    pause: float = 0


@dataclass
class Asked:
    """A request, and how many bytes of body it was given."""

    path: str
    headers: dict[str, str]
    sent: int = 0

    @property
    def start(self) -> int | None:
        """First byte asked for, if not all were."""
        wish = self.headers.get("range")
        return int(wish.removeprefix("bytes=").rstrip("-")) if wish else None


class BadServer(ThreadingHTTPServer):
    """Answers by path (with its query, or else without); the last answer of a path repeats."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def gives(self, path: str, *answers: Answer | bytes) -> str:
        """Sets what a path answers, request by request; gives its address."""
        self.answers[path] = [a if isinstance(a, Answer) else Answer(a) for a in answers]
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def starts(self, path: str = "") -> list[int | None]:
        """Where each request for a path began to read; None for all of the file."""
        return [a.start for a in self.asked if a.path.startswith(path)]

    def next_answer(self, request: Asked) -> Answer:
        with self._lock:
            self.asked.append(request)
            plain = urlsplit(request.path).path
            known = self.answers.get(request.path, self.answers.get(plain))
            if not known:
                return Answer(b"nothing here", 404)
            return known.pop(0) if len(known) > 1 else known[0]

    def handle_error(self, *_: object) -> None:
        """Clients go away all the time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BadServer

    def do_GET(self) -> None:
        request = Asked(self.path, {k.lower(): v for k, v in self.headers.items()})
        answer = self.server.next_answer(request)
        if answer.status == 0:  # not even HTTP
            self.wfile.write(answer.body)
            self._end(answer.ending)
            return
        start = self._start(answer, request)
        headers = {"Accept-Ranges": "bytes"} if answer.ranges else {}
        status = answer.status
        if start:
            status = 206
            headers["Content-Range"] = f"bytes {start}-{len(answer.body) - 1}/{len(answer.body)}"
        if answer.tag:
            headers["ETag"] = answer.tag
        if answer.length == "known":
            headers["Content-Length"] = str(len(answer.body) - start)
        elif answer.length == "chunked":
            headers["Transfer-Encoding"] = "chunked"
        self.send_response(status)
        for name, value in (headers | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self._send(answer, start, request)

    def _start(self, answer: Answer, request: Asked) -> int:
        if not answer.ranges or answer.status != 200 or not request.start:
            return 0
        condition = request.headers.get("if-range")
        current = (answer.tag, answer.headers.get("Last-Modified"))
        if condition and condition not in current and answer.heeds_if_range:
            return 0
        return request.start

    def _send(self, answer: Answer, start: int, request: Asked) -> None:
        end = len(answer.body) if answer.stop is None else answer.stop
        for position in range(start, end, _PIECE):
            piece = answer.body[position : min(position + _PIECE, end)]
            if answer.pause and self.server.closing.wait(answer.pause):
                return
            if answer.length == "chunked":
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            else:
                self.wfile.write(piece)
            request.sent += len(piece)
        if answer.stop is None:
            if answer.length == "chunked":
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = answer.length == "unknown"
            return
        self._end(answer.ending)

    def _end(self, ending: str) -> None:
        if ending == "silence":
            self.server.closing.wait(30)
        elif ending == "reset":
            self.server.closing.wait(0.1)  # what was sent arrives first
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """The tests read ``asked``."""


@contextmanager
def serving() -> Iterator[BadServer]:
    """A server that runs while the block does."""
    with BadServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def stand_in_for_google(server: BadServer, monkeypatch) -> None:
    """Lets a server answer for Google: https://HOST/PATH is asked there as /HOST/PATH."""
    send = requests.adapters.HTTPAdapter.send

    def redirected(self, request, **options):
        host = urlsplit(request.url).hostname
        if not host.endswith((".google.com", ".googleusercontent.com")):
            return send(self, request, **options)
        sent = request.copy()
        sent.url = server.url(f"/{host}{request.path_url}")
        response = send(self, sent, **options)
        response.url, response.request = request.url, request
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirected)
