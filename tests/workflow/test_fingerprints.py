"""Fingerprints of given files: made once, taken again as long as the files are the same."""

import os
from pathlib import Path

import pytest

from spinome import hashing
from spinome.workflow import fingerprints
from spinome.workflow.fingerprints import Fingerprints, fingerprints_of
from spinome.workflow.provenance import fingerprint


@pytest.fixture
def hashed(monkeypatch):
    """The names of the files that were hashed so far."""
    names = []

    def hash_of(path):
        names.append(str(path).rpartition("/")[2])
        return hashing.file_hash(path)

    monkeypatch.setattr(fingerprints, "file_hash", hash_of)
    monkeypatch.setattr(fingerprints, "fingerprint", lambda path: (hash_of(path), fingerprint(path))[1])
    return names


@pytest.fixture
def files(tmp_path):
    paths = [str(tmp_path / name) for name in ("a", "b")]
    for path in paths:
        Path(path).write_text(path)
    return paths


def test_a_job_hashes_a_file_once_and_the_provenance_takes_it(tmp_path, files, hashed):
    for _ in range(2):
        job = Fingerprints(tmp_path / "known", "step/0")
        assert [job.hash(path) for path in files] == list(map(hashing.file_hash, files))
        job.save()
    assert hashed == ["a", "b"]
    (tmp_path / "c").write_text("c")
    every = [*files, str(tmp_path / "c")]
    assert fingerprints_of(tmp_path / "known", every) == {path: fingerprint(path) for path in every}
    assert hashed == ["a", "b", "c"]


def test_a_folder_is_hashed_each_time(tmp_path):
    """A file in it that is written over leaves the folder as the file system knows it."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "0").write_text("before")
    before = Fingerprints(tmp_path / "known", "step/0").hash(tmp_path / "parts")
    (tmp_path / "parts" / "0").write_text("after")
    job = Fingerprints(tmp_path / "known", "step/0")
    assert job.hash(tmp_path / "parts") == hashing.file_hash(tmp_path / "parts") != before
    job.save()


def test_a_changed_file_is_hashed_again_though_its_time_is_set_back(tmp_path, files, hashed):
    job = Fingerprints(tmp_path / "known", "step/0")
    before = job.hash(files[0])
    job.save()
    state = Path(files[0]).stat()
    Path(files[0]).write_text("X".ljust(state.st_size))
    os.utime(files[0], ns=(state.st_atime_ns, state.st_mtime_ns))
    assert fingerprints_of(tmp_path / "known", files[:1])[files[0]] == fingerprint(files[0])
    assert Fingerprints(tmp_path / "known", "step/0").hash(files[0]) != before
    assert hashed == ["a", "a", "a"]


def test_large_files_and_volumes_are_shared_by_the_jobs(tmp_path, files, hashed, monkeypatch):
    monkeypatch.setattr(fingerprints, "WHOLE_BYTES", 1)
    for shard in range(2):
        Fingerprints(tmp_path / "known", f"step/{shard}").hash(files[0])
        Fingerprints(tmp_path / "known", f"other/{shard}").note(f"{files[1]}::image", None, str(tmp_path / "absent"))
    assert hashed == ["a", "b"]
    assert fingerprints_of(tmp_path / "known", files) == {path: fingerprint(path) for path in files}


def test_a_sample_of_a_file_is_no_hash_of_it(tmp_path, files, hashed, monkeypatch):
    monkeypatch.setattr(fingerprints, "WHOLE_BYTES", 1)
    monkeypatch.setattr(fingerprints, "fingerprint", lambda path: fingerprint(path, sampled_above=1))
    Path(files[0]).write_text("a" * 100_000)
    job = Fingerprints(tmp_path / "known", "step/0")
    job.note(files[0])
    assert fingerprints_of(tmp_path / "known", files[:1])[files[0]]["hashed"] == "sampled" and not hashed
    assert job.hash(files[0]) == hashing.file_hash(files[0]) and hashed == ["a"]


def test_a_folder_is_looked_through_by_the_rule_and_what_is_broken_counts_for_nothing(tmp_path, files):
    (tmp_path / "v.zarr").mkdir()
    (tmp_path / "v.zarr" / "0").write_text("0")
    Fingerprints(tmp_path / "known", "step/0").note(str(tmp_path / "v.zarr"))
    assert not (tmp_path / "known").exists()
    job = Fingerprints(tmp_path / "known", "step/0")
    job.hash(files[0])
    job.save()
    (tmp_path / "known" / "step" / "0.json").write_text("[")
    every = [*files, str(tmp_path / "v.zarr")]
    assert fingerprints_of(tmp_path / "known", every) == {path: fingerprint(path) for path in every}


def test_what_a_job_no_longer_reads_is_dropped(tmp_path, files):
    for paths in (files, files[:1]):
        job = Fingerprints(tmp_path / "known", "step/0")
        for path in paths:
            job.hash(path)
        job.save()
    assert list(Fingerprints(tmp_path / "known", "step/0").before) == files[:1]
