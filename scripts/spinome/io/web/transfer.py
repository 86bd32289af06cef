"""One file over HTTP: redirects followed up to a depth, what breaks off tried again after waits that grow."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urljoin

import requests
import tenacity
import urllib3

from spinome.io.web.addresses import without_password
from spinome.io.web.limits import Allowance, DownloadError, OutOfReachError
from spinome.io.web.watched import BrokenTransferError, Watch, watched, watched_session

BLOCK_BYTES = 1 << 16
# requests that may run at once, each on a connection that is kept
CONNECTIONS = 16
# answers that another attempt may better; those of the server's own faults, 500 and more, are so too
TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
# the first wait, and what is added to each at random, so that many jobs do not come back at once
FIRST_WAIT_S, JITTER_S = 1.0, 1.0
FAULTS = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, UnicodeError)
FAULTS_OF_THE_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    urllib3.exceptions.LocationParseError,
)
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a server answered: `status`, `headers`, and its content block by block, compressed where it is."""

    status: int
    headers: Mapping[str, str]
    blocks: Iterator[bytes]

    @property
    def length(self) -> int | None:
        """Bytes of content that the server announces, None where it does not."""
        stated = self.headers.get("Content-Length", "")
        return int(stated) if stated.isascii() and stated.isdecimal() and len(stated) < 20 else None

    def starts_at(self, position: int) -> bool:
        """Whether the content is the part of the file from a position on, as far as the server says."""
        if self.status != HTTPStatus.PARTIAL_CONTENT:
            return position == 0
        stated = self.headers.get("Content-Range")
        return stated is None or stated.strip().lower().startswith(f"bytes {position}-")


@contextmanager
def get(
    url: str, allowance: Allowance, headers: Mapping[str, str] | None = None, also: tuple[int, ...] = ()
) -> Iterator[Answer]:
    """Ask for a file and yield the `Answer`; statuses other than 200, 206 and those of `also` are errors.

    Raises
    ------
    BrokenTransferError: if another attempt may go better.
    DownloadError: if not: the address is wrong or refused, or redirects too often; the message says what to do.
    """
    shown, watch = without_password(url), Watch(without_password(url), allowance)
    # another thread may have taken all there was
    allowance.take(0, shown)
    with watched(watch):
        response = _follow(url, allowance, {"Accept-Encoding": "identity", **(headers or {})})
        try:
            status = response.status_code
            if status in TRY_AGAIN or status >= 500:
                raise BrokenTransferError(
                    f"answers {status} {response.reason}", _asked_wait(response, allowance.limits.patience_s)
                )
            if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, *also):
                raise DownloadError(
                    f"{shown}: answers {status} {response.reason}. Check the address, and whether it is public"
                )
            yield Answer(status, response.headers, _blocks(response, watch))
        finally:
            response.close()


def persist(work: Callable[[], T], url: str, allowance: Allowance) -> T:
    """Do some work, and again where it breaks off, after waits that grow up to `patience_s` and vary at random.

    Raises
    ------
    DownloadError: if it breaks off as often as `attempts` allow, or `max_hours` are over.
    """
    limits, shown = allowance.limits, without_password(url)

    def wait(state: tenacity.RetryCallState) -> float:
        grown = tenacity.wait_exponential_jitter(FIRST_WAIT_S, max=limits.patience_s, jitter=JITTER_S)(state)
        return max(grown, _broken_off(state).wait_s)

    def tell(state: tenacity.RetryCallState) -> None:
        print(
            f"{shown}: attempt {state.attempt_number} of {limits.attempts} broke off "
            f"({_broken_off(state)}); again in {state.upcoming_sleep:.1f} s",
            flush=True,
        )

    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(BrokenTransferError),
        stop=tenacity.stop_after_attempt(limits.attempts) | tenacity.stop_before_delay(allowance.seconds_left),
        wait=wait,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return attempts(work)
    except BrokenTransferError as error:
        number = attempts.statistics["attempt_number"]
        raise OutOfReachError(
            f"{shown}: out of reach after {number} attempt{'s' if number > 1 else ''} ({error}). "
            "Check the network and the proxy, or set retrieve.base_url to a mirror"
        ) from error


def _broken_off(state: tenacity.RetryCallState) -> BrokenTransferError:
    """What made an attempt break off; after another error none is tried again."""
    error = state.outcome and state.outcome.exception()
    assert isinstance(error, BrokenTransferError)
    return error


@cache
def _session() -> requests.Session:
    return watched_session(CONNECTIONS)


def _follow(url: str, allowance: Allowance, headers: Mapping[str, str]) -> requests.Response:
    """The answer at the end of the redirects; the session would follow them too, but reads what comes with each."""
    session, patience, first = _session(), allowance.limits.patience_s, url
    for _ in range(allowance.limits.max_depth + 1):
        with _faults(first):
            request = session.prepare_request(requests.Request("GET", url, headers=headers))
            asked = request.url or url
            settings = session.merge_environment_settings(asked, {}, True, None, None)
            adapter = session.get_adapter(asked)
            response = adapter.send(request, timeout=(patience, patience), **settings)
            target = session.get_redirect_target(response)
            if target is None:
                return response
            response.close()
            url = urljoin(url, target)
    raise DownloadError(
        f"{without_password(first)}: redirects more than {allowance.limits.max_depth} times "
        f"(retrieve.limits.max_depth), at last to {without_password(url)}; give the address of the file itself"
    )


def _blocks(response: requests.Response, watch: Watch) -> Iterator[bytes]:
    with _faults(response.url):
        for block in response.raw.stream(BLOCK_BYTES, decode_content=False):
            watch.delivered()
            yield block


@contextmanager
def _faults(url: str) -> Iterator[None]:
    try:
        yield
    except (*FAULTS, ValueError) as error:
        if isinstance(error, FAULTS) and not isinstance(error, FAULTS_OF_THE_ADDRESS):
            # of a connection that could not be made the reason is inside
            reason = getattr(error.args[0], "reason", None) if error.args else None
            raise BrokenTransferError(reason or error) from error
        raise DownloadError(
            f"{without_password(url)}: is, or leads to, no address of a file on the web ({error})"
        ) from error


def _asked_wait(response: requests.Response, most: float) -> float:
    stated = response.headers.get("Retry-After")
    try:
        return min(urllib3.Retry().parse_retry_after(stated), most) if stated else 0.0
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return 0.0
