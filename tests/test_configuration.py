"""The configuration: complete, strict, and in step with the files that are generated from it."""

import pytest
import yaml

from spinome.configuration import Configuration, complete
from spinome.configuration.__main__ import GENERATED, REPOSITORY, keys
from spinome.configuration.retrieve import RetrieveLimits
from spinome.io.web.limits import Limits


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_do_not_drift(name):
    assert (REPOSITORY / name).read_text() == GENERATED[name](), "run `make config`"


def test_the_default_configuration_is_the_default():
    written = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    written["samples"] = {}
    assert complete(written) == complete({})


def test_every_key_is_described():
    undescribed = [key for key, _, description in keys(Configuration) if not description]
    assert not undescribed


def test_given_values_are_kept_and_the_rest_filled():
    config = complete({"seed": 7, "neurons": {"shards": 9}})
    assert (config["seed"], config["neurons"]["shards"], config["results"]) == (7, 9, "results")


@pytest.mark.parametrize(
    ("config", "key", "hint"),
    [
        ({"sede": 1}, "sede", "did you mean 'seed'?"),
        ({"neurons": {"shrads": 4}}, "neurons.shrads", "did you mean 'shards'?"),
        ({"samples": {"stack": "a.tsv"}}, "samples.stack", "did you mean 'stacks'?"),
        ({"models": {"qqqq": "x"}}, "models.qqqq", "known here: detector"),
        ({"phantom": {"specimens": {"a": {"sead": 1}}}}, "phantom.specimens.a.sead", "did you mean 'seed'?"),
    ],
)
def test_a_misspelt_key_gives_the_nearest_known_key(config, key, hint):
    with pytest.raises(ValueError) as error:
        complete(config)
    assert key in str(error.value)
    assert hint in str(error.value)


def test_a_wrong_value_is_named_with_its_key():
    with pytest.raises(ValueError, match=r"max_failed_fraction: .*less than or equal to 1.*not 3"):
        complete({"max_failed_fraction": 3})


def test_all_errors_are_told_at_once():
    with pytest.raises(ValueError, match="2 error"):
        complete({"sede": 1, "neurons": {"shards": 0}})


SHA256 = "sha256:" + "0" * 64
URL = "https://example.org/a"


def test_a_record_is_an_address_or_has_checksums():
    records = {"a": URL, "b": {"url": URL, "checksums": {"x.csv": SHA256.replace("0", "A")}}}
    assert complete({"retrieve": {"records": records}})["retrieve"]["records"] == {
        "a": {"url": URL, "checksums": {}},
        "b": {"url": URL, "checksums": {"x.csv": SHA256.replace("0", "a")}},
    }


@pytest.mark.parametrize(
    ("retrieve", "problem"),
    [
        ({"files": {"x": {"url": URL}}}, r"retrieve\.files\.x: .*has no checksum; add `checksum: sha256:"),
        (
            {"files": {"x": {"url": URL, "checksum": "md5:12"}}},
            r"files\.x\.checksum: .*is no checksum; write sha256: and 64",
        ),
        ({"files": {"x": {"url": "ftp://a/b", "checksum": SHA256}}}, r"files\.x\.url: .*no address on the web"),
        ({"records": {"x": {"url": URL, "checksums": {"a": "x"}}}}, r"records\.x\.checksums\.a: .*is no checksum"),
        ({"records": {"x": "record"}}, r"records\.x\.url: .*no address on the web"),
        ({"records": {"x": 5}}, r"records\.x: "),
        ({"records": 5}, r"retrieve\.records: "),
        ({"base_url": "mirror"}, r"base_url: .*no address on the web"),
        (
            {"files": {"x": {"url": URL, "checksum": SHA256}}, "records": {"x": URL}},
            "x is a name in `files` and in `rec",
        ),
        ({"files": {"x": {"url": URL, "checksum": SHA256}}, "records": {"X": URL}}, "'x' and 'X' are one file"),
    ],
)
def test_sources_are_whole_and_go_to_places_of_their_own(retrieve, problem):
    with pytest.raises(ValueError, match=problem):
        complete({"retrieve": retrieve})


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", ".a", "a\\b", "a\0", "C:a", "x" * 300, "a{b}"])
@pytest.mark.parametrize("kind", ["files", "records"])
def test_names_of_sources_are_names_of_files(kind, name):
    source = {"files": {"url": URL, "checksum": SHA256}, "records": URL}[kind]
    with pytest.raises(ValueError, match=rf"retrieve\.{kind}: "):
        complete({"retrieve": {kind: {name: source}}})


@pytest.mark.parametrize("key", RetrieveLimits.model_fields)
@pytest.mark.parametrize("value", [-1, 1e300, float("nan"), float("inf"), "x", None])
def test_limits_have_ranges(key, value):
    with pytest.raises(ValueError, match=rf"retrieve\.limits\.{key}: "):
        complete({"retrieve": {"limits": {key: value}}})


def test_the_limits_of_the_configuration_are_those_of_the_library():
    limits = complete({})["retrieve"]["limits"]
    assert Limits(**limits) == Limits()
