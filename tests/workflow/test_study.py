"""A study: what makes a given source another one than it was."""

from pathlib import Path

import pytest

from spinome.configuration import complete
from spinome.workflow.study import read_study


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.h5", "b.h5"):
        Path(name).write_text(name)
    return read_study(complete({}), tmp_path)


def test_a_moved_file_is_the_same_input(study):
    before = study.given(["a.h5::grey", None])
    Path("elsewhere").mkdir()
    Path("a.h5").rename("elsewhere/renamed.h5")
    assert study.given(["elsewhere/renamed.h5::grey", None]) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["a.h5"], ["b.h5"]),
        (["a.h5::grey"], ["a.h5::labels"]),
        (["a.h5", "b.h5"], ["b.h5", "a.h5"]),
        (["a.h5", None], [None, "a.h5"]),
        (["precomputed://gs://b/one"], ["precomputed://gs://b/two"]),
        (["resources/p/em.zarr::image"], ["resources/p/em.zarr::detached"]),
        (["resources/p/mesh.npz"], ["resources/q/mesh.npz"]),
    ],
)
def test_another_source_is_another_input(study, one, other):
    assert study.given(one) != study.given(other)


def test_what_a_rule_makes_is_not_opened(study, monkeypatch):
    monkeypatch.setattr(study.stamps, "of", lambda paths: pytest.fail(f"{paths} were read"))
    assert study.given(["resources/p/mesh.npz", "results/x.parquet", None])


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path):
    (tmp_path / "occupied").touch()
    for key in ("results", "resources"):
        with pytest.raises(ValueError, match=rf"occupied: is a file where a folder is needed; .* the key `{key}`"):
            read_study(complete({key: str(tmp_path / "occupied" / "x")}), tmp_path)
