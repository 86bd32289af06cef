"""The configuration: complete, strict, and in step with the files that are generated from it."""

import pytest
import yaml

from spinome.configuration import Configuration, complete
from spinome.configuration.__main__ import GENERATED, REPOSITORY, keys


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
