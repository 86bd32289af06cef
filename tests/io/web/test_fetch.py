"""Small files and parts of large ones, in memory and within limits."""

import dataclasses
import gzip
import tracemalloc

import pytest

from spinome.io.web.fetch import fetch
from spinome.io.web.limits import VARIABLE, Allowance, DownloadError, Limits

CONTENT = bytes(range(256)) * 4000
BLOCK = b"x" * (1 << 16)


def test_a_small_file_has_a_bound_of_its_own(hostile, quick):
    hostile.behave = lambda request: request.answer(CONTENT)
    with pytest.raises(DownloadError, match="longer than 1000 bytes"):
        fetch(f"{hostile.url}/info", allowance=Allowance(quick), most=1000)


def test_a_bomb_in_an_answer_is_unpacked_up_to_the_bound(hostile, quick):
    bomb = gzip.compress(bytes(1 << 26))
    hostile.behave = lambda request: request.answer(bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        with pytest.raises(DownloadError, match=r"/info: unpacks to more than \d+ bytes"):
            fetch(f"{hostile.url}/info", allowance=Allowance(quick))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_compressed_answers_are_unpacked(hostile, quick):
    hostile.behave = lambda request: request.answer(gzip.compress(CONTENT), Content_Encoding="gzip")
    assert fetch(f"{hostile.url}/info", allowance=Allowance(quick)) == CONTENT
    hostile.behave = lambda request: request.answer(CONTENT, Content_Encoding="br")
    with pytest.raises(DownloadError, match=r"compressed \('br'\) though that was not asked for"):
        fetch(f"{hostile.url}/info", allowance=Allowance(quick))


def test_a_part_that_is_another_than_was_asked_for(hostile, quick):
    hostile.behave = lambda request: request.answer(
        CONTENT[:50], status="206 Partial Content", Content_Range=f"bytes 0-49/{len(CONTENT)}"
    )
    with pytest.raises(DownloadError, match=r"sends 'bytes 0-49/1024000', not the bytes from 100 on"):
        fetch(f"{hostile.url}/shard", 100, 150, allowance=Allowance(quick))
    hostile.behave = lambda request: request.answer(CONTENT[100:120], status="206 Partial Content")
    with pytest.raises(DownloadError, match="sent 20 bytes of 50 from 100 on"):
        fetch(f"{hostile.url}/shard", 100, 150, allowance=Allowance(quick))


def test_a_whole_file_in_place_of_a_part_far_inside(hostile, quick):
    hostile.behave = lambda request: request.answer(length=False) or request.for_ever(BLOCK)
    with pytest.raises(DownloadError, match="is sent whole where a part from 1000000000000 on is asked for"):
        fetch(f"{hostile.url}/shard", 10**12, 10**12 + 5, allowance=Allowance(quick))


def test_failed_attempts_do_not_count_against_the_bound(hostile, quick):
    def behave(request):
        broken = len(hostile.asked) < 4
        request.answer(CONTENT[:-1] if broken else CONTENT, length=len(CONTENT))

    hostile.behave = behave
    allowance = Allowance(dataclasses.replace(quick, attempts=4))
    assert fetch(f"{hostile.url}/info", allowance=allowance) == CONTENT
    assert allowance.left == allowance.max_bytes - len(CONTENT)


def test_a_file_that_is_not_there_is_none(hostile, quick):
    for status in ("404 Not Found", "403 Forbidden"):
        hostile.behave = lambda request, status=status: request.answer(status=status)
        assert fetch(f"{hostile.url}/info", allowance=Allowance(quick)) is None
    with pytest.raises(DownloadError, match="answers 403 Forbidden"):
        fetch(f"{hostile.url}/info", allowance=Allowance(quick), absent=(404,))


def test_parts_of_a_file(hostile, quick):
    hostile.behave = lambda request: request.answer(CONTENT)
    assert fetch(f"{hostile.url}/shard", 70_000, 140_000, Allowance(quick)) == CONTENT[70_000:140_000]
    assert fetch(f"{hostile.url}/shard", 5, 5, Allowance(quick)) == b""


def test_limits_come_from_the_workflow(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Allowance().limits == Limits()
    monkeypatch.setenv(VARIABLE, '{"attempts": 3}')
    assert Allowance().limits == Limits(attempts=3)
