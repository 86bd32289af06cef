"""What a cell of a sample sheet names, and which paths can be used."""

import pytest

from spinome.io.sources import file_of, is_address, path_problem, split_source


@pytest.mark.parametrize(
    "path", ["a.tif", "/data/a b.tif", "store.zarr::group/0", "a#1.tif", "a:b", "ä/ö.h5::x", "a[1]*?.tif"]
)
def test_paths_that_can_be_used(path):
    assert path_problem(path) is None


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("a ", "space"),
        ("a\tb", "cannot be seen"),
        ("a\nb", "cannot be seen"),
        ("a\0b", "cannot be seen"),
        ("a\u00a0b", "cannot be seen"),
        ("{a}", "Snakemake"),
        ("a<b>", "Snakemake"),
        ("~/a", "home"),
        ("x" * 256, "too long"),
        ("ж" * 128, "too long"),
        ("a/" * 2049, "too long"),
        (f"store.zarr/{'x' * 256}::group", "too long"),
    ],
)
def test_paths_that_cannot(path, words):
    assert words in path_problem(path)


def test_a_source_and_its_file():
    assert split_source("v.h5::raw")[1] == "raw" and file_of("v.h5::raw") == "v.h5"
    assert is_address("gs://bucket/v") and file_of("gs://bucket/v") == file_of(None) == []
