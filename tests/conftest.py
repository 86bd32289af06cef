"""Shared fixtures: where real data is, when it is there at all; a server that answers as a test says, however badly."""

import contextlib
import os
import re
import socketserver
import threading
from pathlib import Path

import pytest
from hypothesis import settings

from spinome.io.web import transfer
from spinome.io.web.limits import Limits

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data"))
# of a test that ends in an error: small, but with time enough for a busy machine
QUICK = Limits(max_gb=0.002, max_mesh_gb=0.002, max_hours=1, patience_s=5, min_kb_per_s=50, attempts=2, max_depth=3)

# the same examples of the same test everywhere; new ones: pytest --hypothesis-profile=search
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("same")


def pytest_collection_modifyitems(items):
    """Let files with slow tests go first, so that no core waits for them at the end; the cluster's jobs mostly wait."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.parent.name != "slurm", item.path not in slow))


@pytest.fixture(scope="session")
def shared_data():
    """Return a function that gives the path of a real data set, or skips the test, saying which is absent."""

    def find(name: str) -> Path:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"real data {name} is absent; set SPINOME_DATA to the folder that holds it")
        return path

    return find


class Request:
    """A request as it came: its path, its headers in lower case, and the bytes to answer with."""

    def __init__(self, connection, head, server):
        self._connection, self.server = connection, server
        self.path = head.split(" ", 2)[1]
        self.headers = {name.lower(): value for name, value in re.findall(r"^([\w-]+): *(.*?)\r?$", head, re.MULTILINE)}

    @property
    def start(self):
        """The first byte that is asked for."""
        return int(re.search(r"bytes=(\d+)", self.headers.get("range", "bytes=0"))[1])

    def send(self, content):
        self._connection.sendall(content)

    def answer(self, body=b"", status="200 OK", length=None, **headers):
        """A whole answer; `length` is what it says of itself, `None` what is true and `False` nothing."""
        lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        if length is not False:
            lines.append(f"Content-Length: {len(body) if length is None else length}")
        self.send("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    def pause(self, seconds):
        """Wait, but not beyond the end of the test."""
        self.server.over.wait(seconds)

    def for_ever(self, content, pause=0.0):
        """Send the same again and again."""
        while not self.server.over.is_set():
            self.send(content)
            self.pause(pause)


class Server(socketserver.ThreadingTCPServer):
    """Answers each request by calling `behave`; `asked` are the requests in their order."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.behave, self.over = [], None, threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            block = self.request.recv(1 << 16)
            if not block:
                return
            head += block
        request = Request(self.request, head.decode("latin-1"), self.server)
        self.server.asked.append(request)
        # the client may hang up, as it should
        with contextlib.suppress(OSError):
            self.server.behave(request)


@pytest.fixture
def hostile():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def quick(monkeypatch):
    """Limits for tests, with hardly a wait between two attempts."""
    monkeypatch.setattr(transfer, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(transfer, "JITTER_S", 0.01)
    return QUICK
