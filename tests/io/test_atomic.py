"""Outputs appear whole or not at all."""

import os

import pytest

from spinome.io.atomic import atomic, begun


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "table.ome.tif"
    with atomic(target) as part:
        part.write_text("x")
        assert not target.exists()
        assert part.suffix == target.suffix
    assert target.read_text() == "x"
    assert list(target.parent.iterdir()) == [target]


def test_after_an_error_the_earlier_file_stays(tmp_path):
    target = tmp_path / "table.tsv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic(target) as part:
        part.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder(tmp_path):
    target = tmp_path / "labels.zarr"
    for content in ("a", "b"):
        with atomic(target) as part:
            part.mkdir()
            (part / content).touch()
    assert [path.name for path in target.iterdir()] == ["b"]
    assert list(tmp_path.iterdir()) == [target]


def test_after_an_error_the_earlier_folder_stays(tmp_path):
    target = tmp_path / "labels.zarr"
    target.mkdir()
    (target / "a").touch()
    with pytest.raises(RuntimeError), atomic(target) as part:
        part.mkdir()
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["a"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_writes_nothing_is_an_error_and_removes_nothing(tmp_path):
    target = tmp_path / "labels.zarr"
    target.mkdir()
    with pytest.raises(FileNotFoundError, match=r"labels\.zarr: was not written"), atomic(target):
        pass
    assert target.is_dir()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_no_permission_names_the_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="choose another `results` folder"), atomic(tmp_path / "a"):
        pass


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(OSError, match=r"results.*choose another `results` folder"), atomic(tmp_path / "results" / "a"):
        pass


@pytest.mark.parametrize(("name", "own"), [
    ("a.npz", {".a.host-1+12.part.npz", ".a.other+7.part.npz"}),
    ("a", {".a.host-1+12.part"}),
    ("a.b", {".a.host-1+12.part.b"}),
    ("a.b.npz", {".a.b.host-1+12.part.npz"}),
])  # fmt: skip
def test_what_was_begun_of_a_file_is_told_from_that_of_a_file_whose_name_begins_alike(tmp_path, name, own):
    for part in (".a.host-1+12.part.npz", ".a.other+7.part.npz", ".a.b.host-1+12.part.npz", ".a.host-1+12.part.b",
                 ".a.host-1+12.part", "a.npz", ".a.npz"):  # fmt: skip
        (tmp_path / part).touch()
    assert {part.name for part in begun(tmp_path / name)} == own
