"""What a study counts of sources and of models: what is in them, and not where they lie."""

from pathlib import Path

import pytest

from spinome import configuration
from spinome.workflow.study import Study

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path):
    folders = {"results": str(tmp_path / "results"), "resources": str(tmp_path / "resources")}
    return Study(configuration.complete(folders), REPOSITORY, (), (), (), {})


def test_a_source_counts_by_what_is_in_it_wherever_it_lies(study, tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "v.h5").write_text("grey values")
    here, there = (f"{tmp_path}/{folder}/v.h5::grey" for folder in ("here", "there"))
    assert study.given([here]) == study.given([there])
    (tmp_path / "there" / "v.h5").write_text("other values")
    assert study.given([here]) != study.given([there])


def test_the_data_set_in_a_source_counts_even_of_what_this_run_makes(study, tmp_path):
    (tmp_path / "v.h5").write_text("grey values")
    assert study.given([f"{tmp_path}/v.h5::a"]) != study.given([f"{tmp_path}/v.h5::b"])
    made = f"{study.config['resources']}/em.zarr"
    assert study.given([f"{made}::image"]) == ["::image"]
    assert study.given([made, None]) == []


def test_sources_that_change_places_count(study, tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    assert study.given([a, b]) != study.given([b, a])
    assert study.given([a, None]) != study.given([None, a])


def test_an_address_counts(study):
    first, second = (study.given([f"precomputed://gs://bucket/{name}"]) for name in "ab")
    assert first != second
