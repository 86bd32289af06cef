"""Names, descriptions and gzipped bytes from outside."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinome.io.untrusted import checked_name, gunzip, integer, json_object, path_inside, require_distinct

PIECES = st.sampled_from(
    ["..", ".", "/", "\\", "a", "é", "\0", "C:", "~", " ", "x" * 120, ".part", "%2e", "\u2028", ":"]
)


@pytest.mark.parametrize("name", ["a.csv", "sub/a b.zip", "7:0:0", ".zenodo.json", "~x", "a..b", "é" * 100, "x" * 200])
def test_names_that_files_have(name):
    assert checked_name(name) == name


@given(st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=300))
def test_a_name_that_passes_is_inside_and_can_be_written(tmp_path_factory, name):
    folder = tmp_path_factory.getbasetemp() / "names"
    try:
        path = path_inside(folder, name)
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 250
        return
    assert path.resolve().is_relative_to(folder.resolve()) and path.resolve() != folder.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_dir():
        path.with_name(f"{path.name}.0123456789.part").write_bytes(b"")
        path.with_name(f"{path.name}.0123456789.part").unlink()


def test_links_inside_of_the_folder_are_followed_and_those_that_lead_out_are_not(tmp_path):
    folder = tmp_path / "in"
    (folder / "real").mkdir(parents=True)
    (folder / "near").symlink_to(folder / "real")
    (folder / "far").symlink_to(tmp_path)
    (folder / "file").symlink_to(tmp_path / "outside")
    assert path_inside(folder, "near/a") == folder / "near" / "a"
    for name in ("far/a", "file"):
        with pytest.raises(ValueError, match=r"is a link that leads out of .*in; remove it"):
            path_inside(folder, name)


def test_distinct_names_pass():
    require_distinct(["a", "b/c", "b/d", "ab", "b.c"])


@pytest.mark.parametrize("names", [["a", "A"], ["ß", "SS"], ["b/c", "b"], ["b", "B/c"], ["a/b", "A/B"]])
def test_names_that_are_one_on_some_disk(names):
    with pytest.raises(ValueError, match="are one file, or a file and its folder"):
        require_distinct(names)


def test_a_description_is_an_object():
    assert json_object(b'{"a": [1]}') == {"a": [1]}
    assert json_object(bytearray(b"{}")) == {}


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"1", b'"a"', b"\xff\xfe\xfd", b"[" * 100_000, b"9" * 5000, b'{"a": NaN}']
)
def test_something_else_is_none(content):
    with pytest.raises(ValueError, match="is no"):
        json_object(content)


def test_a_description_has_a_length():
    with pytest.raises(ValueError, match="is a description of 11 bytes, at most 10 are read"):
        json_object(b'{"a":     }', most=10)
    assert json_object(b'{"a":    1}', most=None) == {"a": 1}


@pytest.mark.parametrize("value", [-1, 5, 1e300, float("nan"), "3", None, True, [3], 10**400])
def test_a_number_has_a_range(value):
    with pytest.raises(ValueError, match=r"bits is .*, not a whole number from 0 to 4"):
        integer(value, "bits", 0, 4)


def test_unpacking_stops_at_the_bound():
    packed = gzip.compress(bytes(1000)) + gzip.compress(bytes(500))
    assert gunzip(packed, 1500) == bytes(1500)
    with pytest.raises(ValueError, match="unpacks to more than 1499 bytes"):
        gunzip(packed, 1499)


@pytest.mark.parametrize("damage", [lambda b: b[:-5], lambda b: b"x" + b, lambda b: b[:12] + b"\xff\xff" + b[14:]])
def test_damaged_bytes_are_told(damage):
    with pytest.raises(ValueError, match="is no whole gzip file"):
        gunzip(damage(gzip.compress(bytes(range(256)) * 20)), 10_000)
