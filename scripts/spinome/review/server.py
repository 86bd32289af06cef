"""The server of `spinome review`: one person's browser on this machine asks, and answers go to the disk.

It listens on loopback alone. Who opens the address with the token gets a cookie; without it nothing is told. A request
that names another host, or comes from a page of another origin, is refused, so that no other page in the same browser
can read or write answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import importlib.util
import json
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import tornado.httpserver
import tornado.netutil
import tornado.web

from spinome.columns import POSITION
from spinome.review import questions as asking
from spinome.review.answers import ANSWER_COLUMNS, MARKS, NEXT, Answers, agreement, standing
from spinome.review.catalogue import Catalogue

if TYPE_CHECKING:
    from spinome.review.movable import Windows

LOOPBACK = "127.0.0.1"
PAGE = Path(__file__).parent / "page"
FILES = {"page.js": "text/javascript", "page.css": "text/css"}
# so many questions are told ahead, and so many answers are listed
AHEAD, LISTED = 40, 1000
# what the run has wrong with a lower probability does not matter much
MATTERS = 0.1
# the rate of answers is that of so many last ones, without pauses longer than this
RATED, PAUSE_S, AT_ONCE_S = 20, 60.0, 0.1
LARGEST_BODY = 1 << 18
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Review:
    """What the pages ask for. Calls come from several threads; answers are read and written by one at a time."""

    def __init__(self, catalogue: Catalogue, answers: Answers, seed: int):
        self.catalogue, self.answers, self.seed = catalogue, answers, seed
        self._lock = threading.Lock()
        self._counted: dict[tuple[str, str], tuple[pd.DataFrame, list[str], dict[str, Any]]] = {}
        self.windows = movable_views()
        # the question that each window shows
        self.shown: dict[str, str] = {}

    def rows(self) -> pd.DataFrame:
        """The answers that hold."""
        with self._lock:
            return standing(self.answers.read())

    def answered(self, asked: pd.DataFrame, rows: pd.DataFrame, who: str | None = None) -> pd.DataFrame:
        """See `spinome.review.questions.answered_by`; `asked` is of one kind."""
        if asked["kind"].iloc[0] != "track":
            return asking.answered_by(asked, rows, who)
        every = self.catalogue.questions()
        pairs = every[every["kind"] == "same spine"].reset_index(drop=True)
        return asking.tracks_answered(asked, pairs, asking.answered_by(pairs, rows, who))

    def state(self, who: str) -> dict[str, Any]:
        """Progress, accuracy and agreement of each kind of question that the run has."""
        rows, every = self.rows(), self.catalogue.questions()
        kinds = [self._counts(kind, every, rows, who) for kind in asking.CELL_UM if (every["kind"] == kind).any()]
        marks = rows[(rows["who"] == who) & rows["kind"].isin(MARKS)]
        both = agreement(rows).replace({np.nan: None}).to_dict("records")
        own = {"marks": len(marks), "rate": rate(rows[rows["who"] == who]), "movable": self.windows is not None}
        return {"kinds": kinds, "agreement": both, "faults": self.catalogue.faults(), **own}

    def _counts(self, kind: str, every: pd.DataFrame, rows: pd.DataFrame, who: str) -> dict[str, Any]:
        """Progress and accuracy of a kind; counted anew only when its questions or answers are others."""
        rows = rows[rows["kind"] == ("same spine" if kind == "track" else kind)]
        given = rows["answer_id"].tolist()
        known = self._counted.get((kind, who))
        if known is not None and known[0] is every and known[1] == given:
            return known[2]
        asked = every[every["kind"] == kind].reset_index(drop=True)
        own, told = self.answered(asked, rows, who), self.answered(asked, rows)
        open_ = asked.drop(index=told.index)
        found = asking.accuracy(asked, told, self.seed)
        counts = {
            "kind": kind,
            "questions": len(asked),
            "answered": len(own),
            "matter": int((open_["probability"] < 1 - MATTERS).sum()),
            "counted": int(asked["counted"].sum()),
            "accuracy": _numbers([found.value, found.low, found.high]),
            "random": found.answered,
        }
        self._counted[kind, who] = (every, given, counts)
        return counts

    def view(self, name: str, window: str) -> dict[str, str | None]:
        """Address of a window's movable view, which shows a question now; None where there is none to show."""
        # another question is shown by now: its view is what counts
        if self.windows is None or self.shown.get(window) != name:
            return {"address": None}
        scene = self.catalogue.scene(name)
        return {"address": self.windows.show(window, scene) if scene else None}

    def queue(self, kind: str, who: str) -> list[dict[str, str]]:
        """The next questions of a kind to a person: `id` and how each was `drawn`."""
        every = self.catalogue.questions()
        asked = every[every["kind"] == kind].reset_index(drop=True)
        if asked.empty:
            return []
        done = np.zeros(len(asked), bool)
        done[self.answered(asked, self.rows(), who).index.to_numpy(int)] = True
        order = asking.in_order(asked, done, self.seed)[:AHEAD]
        return [{"id": asked["id"].iloc[row], "drawn": drawn} for row, drawn in order]

    def listed(self, who: str) -> list[dict[str, Any]]:
        """A person's answers, the latest first, each with the `id` of its question where the run still has it."""
        rows, every = self.rows(), self.catalogue.questions()
        own = rows[rows["who"] == who].sort_values("time", ascending=False, kind="stable")[:LISTED]
        own = own.reset_index(drop=True)
        found = asking.match(every, own)
        names = [every["id"].iloc[row] if row >= 0 else None for row in found]
        return [{**_plain(row), "id": name} for row, name in zip(own.drop(columns="time").to_dict("records"), names)]

    def answer(self, given: dict[str, Any]) -> dict[str, Any]:
        """Write an answer; `gone` says whether the run has no such question any more, which loses nothing.

        Raises
        ------
        ValueError: if it is no answer; OSError: if it could not be written.
        """
        given = dict(given)
        projected, name = given.pop("projected", False), given.pop("id", None)
        row = {key: value for key, value in given.items() if value is not None}
        if unknown := set(row) - set(ANSWER_COLUMNS) - {"time"}:
            raise ValueError(f"an answer has no column {sorted(unknown)[0]}")
        row |= {key: int(row[key]) for key in ("subject", "chosen") if key in row}
        row |= {key: float(row[key]) for key in (*POSITION, *NEXT, "seconds", "seen_z_um") if key in row}
        if projected and row.get("kind") == "missed spine":
            place = np.array([row[axis] for axis in POSITION])
            # of a stack that cannot be read the depth of the picture's middle is kept: no answer is lost
            with contextlib.suppress(OSError, ValueError):
                row["z_um"] = self.catalogue.depth_at(row["unit"], place)
        with self._lock:
            written = self.answers.append(row)
        gone = False
        # results that cannot be read now say nothing about an answer that is on the disk
        with contextlib.suppress(OSError, ValueError):
            gone = name is not None and self.catalogue.row(name) is None
        return {"answer_id": written["answer_id"], "z_um": written["z_um"], "gone": gone}


def movable_views() -> Windows | None:
    """The movable views of all windows; None where the package `neuroglancer` is not installed or does not run."""
    if importlib.util.find_spec("neuroglancer") is None:
        return None
    try:
        from spinome.review.movable import Windows

        return Windows()
    except (ImportError, OSError) as error:
        print(f"There are no movable views: {error}", flush=True)
        return None


def rate(rows: pd.DataFrame) -> float | None:
    """Answers per minute of a person's last `RATED`, pauses left out; None of fewer than two."""
    times = rows["time"].sort_values()[-RATED:]
    apart = times.diff().dt.total_seconds().dropna()
    apart = apart[apart < PAUSE_S]
    # what is said of a whole track is one answer in several rows
    count = int((apart > AT_ONCE_S).sum())
    return round(60 * count / float(apart.sum()), 1) if count else None


def _numbers(values: list[float]) -> list[float | None]:
    return [None if np.isnan(value) else round(value, 4) for value in values]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON takes it; ids of 64 bits as text."""
    values = {name: None if pd.isna(value) else value for name, value in row.items()}
    return values | {name: None if values[name] is None else str(values[name]) for name in ("subject", "chosen")}


class _Handler(tornado.web.RequestHandler):
    """Refuses what does not come from the page itself, before anything else is looked at."""

    def initialize(
        self, review: Review, token: str, hosts: set[str], pool: ThreadPoolExecutor, views: ThreadPoolExecutor
    ) -> None:
        self.review, self.token, self.hosts, self.pool, self.views = review, token, hosts, pool, views

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)

    @property
    def cookie(self) -> str:
        # cookies do not know ports: two studies at once must not overwrite each other's
        return f"spinome-review-{self.request.host.rpartition(':')[2]}"

    def prepare(self) -> None:
        if self.request.host not in self.hosts:
            raise tornado.web.HTTPError(403, reason="this host is not served")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin.removeprefix("http://") not in self.hosts:
            raise tornado.web.HTTPError(403, reason="a page of another origin may not ask")
        if (
            self.request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
            and self.request.path != "/"
        ):
            raise tornado.web.HTTPError(403, reason="a page of another origin may not ask")

    def require_cookie(self) -> None:
        if not hmac.compare_digest(self.get_cookie(self.cookie, "") or "", self.token):
            raise tornado.web.HTTPError(
                401, reason="the token is not that of this server; open the address that `spinome review` printed last"
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "application/json")
        fault = kwargs.get("exc_info", (None, None))[1]
        known = isinstance(fault, tornado.web.HTTPError)
        self.finish(json.dumps({"error": self._reason if known else f"{type(fault).__name__}: {fault}"}))

    async def told(self, call: Callable[..., Any], *arguments: Any, pool: ThreadPoolExecutor | None = None) -> None:
        """Answer with what a call returns, made beside the loop; its complaints as one message."""
        try:
            made = await asyncio.get_running_loop().run_in_executor(pool or self.pool, call, *arguments)
        except KeyError:
            self.set_status(410)
            made = {"error": "the run has been made anew and no longer has this question"}
        except OSError as error:
            self.set_status(507)
            made = {"error": str(error)}
        except ValueError as error:
            self.set_status(400)
            made = {"error": str(error)}
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(made, default=str))


class _Index(_Handler):
    def get(self) -> None:
        if (given := self.get_query_argument("token", None)) is not None:
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                raise tornado.web.HTTPError(
                    401, reason="this token is stale; open the address that `spinome review` printed last"
                )
            self.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict")
            self.redirect("/")
            return
        # a link from another page brings no cookie along, and shows the page without its answers
        self.require_cookie()
        if self.review.windows:
            self.set_header("Content-Security-Policy", f"{POLICY}; frame-src {self.review.windows.origin}")
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish((PAGE / "page.html").read_bytes())


class _File(_Handler):
    def get(self, name: str) -> None:
        if name not in FILES:
            raise tornado.web.HTTPError(404, reason="no such file")
        self.set_header("Content-Type", FILES[name])
        self.finish((PAGE / name).read_bytes())


class _Ask(_Handler):
    async def get(self, what: str) -> None:
        self.require_cookie()
        who = self.get_query_argument("who", "")
        if what == "state":
            await self.told(self.review.state, who)
        elif what == "queue":
            await self.told(self.review.queue, self.get_query_argument("kind"), who)
        elif what == "answers":
            await self.told(self.review.listed, who)
        elif what == "view":
            name, window = self.get_query_argument("id"), self.get_query_argument("window")
            self.review.shown[window] = name
            await self.told(self.review.view, name, window, pool=self.views)
        else:
            await self.told(self.review.catalogue.question, self.get_query_argument("id"))


class _Answer(_Handler):
    async def post(self) -> None:
        self.require_cookie()
        # what a form of another page can send is no JSON, even in a browser that tells no origin
        if self.request.headers.get("Content-Type", "").partition(";")[0] != "application/json":
            raise tornado.web.HTTPError(415, reason="answers are JSON")
        try:
            given = json.loads(self.request.body)
        except ValueError:
            raise tornado.web.HTTPError(400, reason="answers are JSON") from None
        if not isinstance(given, dict):
            raise tornado.web.HTTPError(400, reason="an answer is an object")
        await self.told(self.review.answer, given)


def application(review: Review, token: str, port: int) -> tornado.web.Application:
    """The pages of a review, for a server on loopback at a port."""
    shared = {
        "review": review,
        "token": token,
        "hosts": {f"{LOOPBACK}:{port}", f"localhost:{port}"},
        "pool": ThreadPoolExecutor(2),
        # views, which take seconds, do not hold up the next questions
        "views": ThreadPoolExecutor(1),
    }
    return tornado.web.Application(
        [
            (r"/", _Index, shared),
            (r"/(page\.\w+)", _File, shared),
            (r"/api/(state|queue|question|answers|view)", _Ask, shared),
            (r"/api/answer", _Answer, shared),
            (r".*", _Nothing, shared),
        ],
        log_function=lambda handler: None,
    )


class _Nothing(_Handler):
    def prepare(self) -> None:
        super().prepare()
        raise tornado.web.HTTPError(404, reason="there is nothing here")


async def serve(review: Review, port: int, say: Callable[[str], None], token: str | None = None) -> None:
    """Serve until cancelled, and say at which address.

    Parameters
    ----------
    port : 0 for any that is free

    Raises
    ------
    OSError: if the port is taken; the message says so.
    """
    try:
        sockets = tornado.netutil.bind_sockets(port, LOOPBACK)
    except OSError as error:
        raise OSError(
            f"port {port} on {LOOPBACK} cannot be used ({error.strerror}); choose another by --port"
        ) from None
    port = sockets[0].getsockname()[1]
    token = token or secrets.token_urlsafe(24)
    server = tornado.httpserver.HTTPServer(application(review, token, port), max_body_size=LARGEST_BODY)
    server.add_sockets(sockets)
    say(f"http://{LOOPBACK}:{port}/?token={token}")
    await asyncio.Event().wait()
