"""Stamps: an input counts by its content where that is cheap, and by size, time and a sample where not."""

import os

import pytest

from spinome.workflow import stamps
from spinome.workflow.stamps import Stamps, source_stamp, stamp


def put_back(path, change):
    """Change a file and give it the times back that it had."""
    state = path.stat()
    change(path)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_a_copy_with_another_name_and_time_is_the_same_input(tmp_path):
    (tmp_path / "a.npz").write_text("mesh")
    (tmp_path / "b.npz").write_text("mesh")
    os.utime(tmp_path / "b.npz", (1, 1))
    assert stamp(tmp_path / "a.npz") == stamp(tmp_path / "b.npz")
    (tmp_path / "b.npz").write_text("mash")
    assert stamp(tmp_path / "a.npz") != stamp(tmp_path / "b.npz")


def test_content_that_changes_at_one_size_and_time_is_seen(tmp_path):
    path, cache = tmp_path / "a", tmp_path / "cache.json"
    path.write_text("one")
    known = Stamps(cache)
    before = known.of([path])
    known.save()
    assert Stamps(cache).of([path]) == before
    put_back(path, lambda path: path.write_text("two"))
    assert Stamps(cache).of([path]) != before


def test_an_unchanged_file_is_not_read_again(tmp_path, monkeypatch):
    path, cache = tmp_path / "a", tmp_path / "cache.json"
    path.write_text("one")
    known = Stamps(cache)
    before = known.of([path])
    known.save()
    monkeypatch.setattr(stamps, "stamp", lambda path: pytest.fail(f"{path} was read"))
    assert Stamps(cache).of([path]) == before


def test_large_files_count_by_size_time_and_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(stamps, "PIECE_BYTES", 10)
    path = tmp_path / "a"
    path.write_bytes(bytes(5000))
    before = stamp(path)
    put_back(path, lambda path: path.write_bytes(bytes(4999) + b"1"))
    assert stamp(path) != before
    put_back(path, lambda path: path.write_bytes(bytes(5000)))
    assert stamp(path) == before
    os.utime(path, (1, 1))
    assert stamp(path) != before


@pytest.mark.parametrize("whole", [1000, 10])
def test_every_file_of_a_small_folder_counts(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(stamps, "WHOLE_BYTES", whole)
    (tmp_path / "v" / "0").mkdir(parents=True)
    for name in ("zarr.json", "0/0", "0/1"):
        (tmp_path / "v" / name).write_text(name)
    before = stamp(tmp_path / "v")
    put_back(tmp_path / "v" / "0" / "1", lambda path: path.write_text("0.1"))
    assert stamp(tmp_path / "v") != before


def test_every_file_of_a_large_folder_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(stamps, "WHOLE_BYTES", 0)
    for number in range(20_010):
        (tmp_path / f"{number:05}").touch()
    (tmp_path / "00000").write_text("a")
    found = {stamp(tmp_path)}
    # one whose content is no piece, and the last
    for name in ("00131", "20009"):
        (tmp_path / name).write_text("ab")
        found.add(stamp(tmp_path))
    assert len(found) == 3


def test_an_address_of_a_folder_here_counts_as_the_folder(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "info").write_text("one")
    address, cache = f"file://{tmp_path}/a%20b", tmp_path / "cache"
    before = source_stamp(address), Stamps(cache).of([f"precomputed://{address}::1"])
    (tmp_path / "a b" / "info").write_text("two")
    after = source_stamp(address), Stamps(cache).of([f"precomputed://{address}::1"])
    assert before[0] != after[0] and before[1] != after[1]
    assert stamp(address) == stamp(tmp_path / "a b")
    assert Stamps(cache).of([f"{address}::1"]) != Stamps(cache).of([f"{address}::2"])


def test_an_absent_file_and_an_address_have_stamps_too(tmp_path):
    absent, address = Stamps(tmp_path / "c").of([tmp_path / "nowhere", "precomputed://gs://b/m::1"])
    assert absent == "absent" and address != absent


def test_so_many_inputs_are_not_opened(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("one")
    monkeypatch.setattr(stamps, "stamp", lambda path: pytest.fail(f"{path} was read"))
    assert Stamps(tmp_path / "c", inputs=Stamps.MOST_OPENED + 1).of([tmp_path / "a"]) != ["absent"]


def test_the_data_set_within_a_file_counts(tmp_path):
    (tmp_path / "a.h5").write_text("x")
    assert source_stamp(f"{tmp_path}/a.h5::grey") != source_stamp(f"{tmp_path}/a.h5::labels")
    assert source_stamp(None, f"{tmp_path}/a.h5::grey") != source_stamp(f"{tmp_path}/a.h5::grey", None)
