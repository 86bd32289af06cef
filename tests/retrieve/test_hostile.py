"""Servers that never end, lie, or answer nonsense: one clear error each, in bounded time and memory, nothing left."""

import dataclasses
import gzip
import hashlib
import time
import tracemalloc

import pytest

from spinome.io.web.limits import Allowance, DownloadError, Limits, TooLargeError
from spinome.retrieve.download import download

CONTENT = bytes(range(256)) * 4000
CHECKSUM = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
BLOCK = b"x" * (1 << 16)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def refused(hostile, quick, tmp_path):
    """A function that downloads from the server, in seconds and in little memory, and gives the error's message.

    No file may be there afterwards that passes for whole.
    """

    def run(behave, error=DownloadError, **limits):
        hostile.behave = behave
        allowance = Allowance(dataclasses.replace(quick, **limits))
        started = time.monotonic()
        tracemalloc.start()
        try:
            with pytest.raises(error) as caught:
                download(f"{hostile.url}/file", tmp_path / "file.bin", CHECKSUM, allowance)
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
        finally:
            tracemalloc.stop()
        assert time.monotonic() - started < 30
        assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".part")]
        assert f"{hostile.url}/file" in str(caught.value) and str(tmp_path / "file.bin") in str(caught.value)
        return str(caught.value)

    return run


def test_an_endless_file_is_cut_at_the_bound_and_nothing_is_kept(refused, tmp_path):
    def behave(request):
        request.answer(length=False)
        request.for_ever(BLOCK)

    message = refused(behave, TooLargeError)
    assert "is larger than 0.002 GB" in message and "raise retrieve.limits.max_gb" in message
    assert not list(tmp_path.iterdir())


def test_an_endless_file_in_chunks(refused, tmp_path):
    def behave(request):
        request.send(CHUNKED)
        request.for_ever(b"10000\r\n" + BLOCK + b"\r\n")

    refused(behave, TooLargeError)
    assert not list(tmp_path.iterdir())


def test_a_file_that_says_it_is_too_large_is_not_begun(refused, hostile, tmp_path):
    message = refused(lambda request: request.answer(b"x", length=10**15), TooLargeError)
    assert "it says 1000000000000000 bytes" in message
    assert len(hostile.asked) == 1 and not list(tmp_path.iterdir())


def test_a_byte_now_and_then_is_too_slow(refused, hostile):
    def behave(request):
        request.answer(BLOCK, length=10**6)
        request.for_ever(b"x", pause=0.02)

    message = refused(behave, min_kb_per_s=1000, patience_s=0.3)
    assert "retrieve.limits.min_kb_per_s (1000)" in message and "after 2 attempts" in message
    assert [request.headers.get("range") is None for request in hostile.asked] == [True, False]


def test_the_total_time_is_bounded_at_any_rate(refused, hostile):
    def behave(request):
        request.answer(BLOCK, length=10**6)
        request.for_ever(b"x", pause=0.02)

    message = refused(behave, min_kb_per_s=0, max_hours=0.5 / 3600)
    assert "took longer than 0.000138889 h" in message and "raise retrieve.limits.max_hours" in message
    assert "65536 bytes are kept in" in message
    assert len(hostile.asked) == 1


def test_silence_is_not_waited_for(refused):
    assert "out of reach after 2 attempts" in refused(lambda request: request.pause(30), patience_s=0.3)


def test_headers_that_trickle_are_too_slow(refused):
    def behave(request):
        request.send(b"HTTP/1.1 200 OK\r\nX: ")
        request.for_ever(b"x", pause=0.02)

    assert "min_kb_per_s" in refused(behave, patience_s=0.3)


def test_headers_without_an_end(refused):
    def behave(request):
        request.send(b"HTTP/1.1 200 OK\r\nX: ")
        request.for_ever(BLOCK)

    assert "out of reach after 2 attempts" in refused(behave)


def test_interim_answers_without_an_end(refused):
    message = refused(lambda request: request.for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000))
    assert "bytes without content" in message


def test_what_follows_the_last_chunk_has_an_end(refused):
    def behave(request):
        request.send(CHUNKED + b"1\r\nx\r\n0\r\n")
        request.for_ever(b"Trailer: x\r\n" * 1000)

    assert "bytes without content" in refused(behave)


def test_chunks_of_nonsense(refused):
    assert "out of reach after 2 attempts" in refused(lambda request: request.send(CHUNKED + b"zz\r\nxx"))


def test_something_else_than_http(refused):
    message = refused(lambda request: request.send(b"220 mail.example.org ESMTP\r\n"))
    assert "out of reach after 2 attempts" in message and "set retrieve.base_url to a mirror" in message


def test_a_connection_that_closes_at_once(refused, hostile):
    assert "out of reach after 2 attempts" in refused(lambda request: None)
    assert len(hostile.asked) == 2


def test_redirects_in_a_circle(refused, hostile):
    message = refused(lambda request: request.answer(status="302 Found", Location="/file"))
    assert "redirects more than 3 times (retrieve.limits.max_depth)" in message
    assert len(hostile.asked) == 4


def test_what_comes_with_a_redirect_is_not_read(hostile, quick, tmp_path):
    def behave(request):
        if request.path == "/file":
            return request.answer(CONTENT)
        request.answer(status="302 Found", length=False, Location="/file", Content_Encoding="gzip")
        request.for_ever(BLOCK)

    hostile.behave = behave
    download(f"{hostile.url}/first", tmp_path / "file.bin", CHECKSUM, Allowance(quick))
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[bad/x"])
def test_a_redirect_to_no_address_of_the_web(refused, hostile, target):
    assert "no address of a file on the web" in refused(
        lambda request: request.answer(status="301 Moved", Location=target)
    )
    assert len(hostile.asked) == 1


def test_more_is_announced_than_comes(refused, hostile):
    def behave(request):
        if request.start >= len(CONTENT) // 2:
            return request.answer(status="416 Range Not Satisfiable")
        request.answer(CONTENT[: len(CONTENT) // 2], length=len(CONTENT))

    message = refused(behave)
    assert "its 512000 bytes have another checksum" in message
    assert len(hostile.asked) == 2


def test_less_is_announced_than_comes(refused, tmp_path):
    message = refused(lambda request: request.answer(CONTENT, length=1000))
    assert "its 1000 bytes have another checksum" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("length", ["-5", "nonsense", "1, 2", "9" * 400])
def test_a_length_of_nonsense(refused, length):
    refused(lambda request: request.answer(b"x", length=length))


def test_a_file_is_stored_as_it_came_and_never_unpacked(refused):
    bomb = gzip.compress(bytes(1 << 26))
    message = refused(lambda request: request.answer(bomb, Content_Encoding="gzip"))
    assert f"its {len(bomb)} bytes have another checksum" in message


@pytest.mark.parametrize(
    "status", ["400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "410 Gone"]
)
def test_what_another_attempt_cannot_better_is_asked_once(refused, hostile, status):
    assert f"answers {status}" in refused(lambda request: request.answer(status=status))
    assert len(hostile.asked) == 1


@pytest.mark.parametrize("status", ["429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Busy", "504 Late"])
def test_a_busy_server_is_asked_again(hostile, quick, tmp_path, status):
    hostile.behave = lambda request: request.answer(*([CONTENT] if len(hostile.asked) > 1 else [b"", status]))
    download(f"{hostile.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(quick))
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.parametrize(("asked", "least", "most"), [("1", 0.9, 5), ("86400", 0.9, 5), ("nonsense", 0, 5)])
def test_the_wait_that_a_server_asks_for_is_kept_up_to_the_bound(hostile, tmp_path, asked, least, most):
    def behave(request):
        if len(hostile.asked) == 1:
            return request.answer(status="503 Busy", Retry_After=asked)
        request.answer(CONTENT)

    hostile.behave = behave
    started = time.monotonic()
    limits = Limits(patience_s=1.0)
    download(f"{hostile.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(limits))
    assert least <= time.monotonic() - started < most


def test_waits_grow_and_vary(hostile, tmp_path, monkeypatch, capsys):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    hostile.behave = lambda request: request.answer(status="503 Busy")
    limits = Limits(patience_s=6, attempts=5)
    with pytest.raises(DownloadError):
        download(f"{hostile.url}/file", tmp_path / "file.bin", CHECKSUM, Allowance(limits))
    assert 1 <= waits[0] <= 2 <= waits[1] <= 3 < 4 <= waits[2] <= 5 and waits[3] == 6
    assert len({wait % 1 for wait in waits[:3]}) == 3
    assert "attempt 1 of 5 broke off (answers 503 Busy)" in capsys.readouterr().out


def test_a_password_is_in_no_message(hostile, quick, tmp_path):
    hostile.behave = lambda request: request.answer(status="404 Not Found")
    with pytest.raises(DownloadError) as caught:
        download(hostile.url.replace("//", "//user:secret@"), tmp_path / "file.bin", CHECKSUM, Allowance(quick))
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
