"""The configuration: complete, strict, and in step with the files that are generated from it."""

import math
from typing import Literal, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo

from spinome.configuration import Configuration, complete
from spinome.configuration.__main__ import GENERATED, REPOSITORY, keys
from spinome.configuration.phantom import FIELD_VOXEL_UM
from spinome.configuration.retrieve import RetrieveLimits
from spinome.io.web.limits import Limits
from spinome.phantom.specimen import FIELD_VOXEL_NM
from spinome.ranges import allowed

HUGE, NOT_FINITE = 1e300, (math.nan, math.inf, -math.inf)


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_do_not_drift(name):
    assert (REPOSITORY / name).read_text() == GENERATED[name](), "run `make config`"


def test_the_default_configuration_is_the_default():
    written = yaml.safe_load((REPOSITORY / "config" / "config.yaml").read_text())
    written["samples"] = {}
    assert complete(written) == complete({})


def test_every_key_is_described():
    undescribed = [key for key, _, description, _ in keys(Configuration) if not description]
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
    with pytest.raises(ValueError, match="max_failed_fraction: give a number from 0 to 1, not 3"):
        complete({"max_failed_fraction": 3})


def test_all_errors_are_told_at_once():
    with pytest.raises(ValueError, match="2 error"):
        complete({"sede": 1, "neurons": {"shards": 0}})


def numbers(annotation, metadata):
    """Every number in a type: whether it is whole, its limits by name, and a function from a value of it to one of the
    whole type."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in (int, float):
        bounds = {
            name: getattr(one, name) for one in metadata for name in ("ge", "gt", "le", "lt") if hasattr(one, name)
        }
        yield annotation is int, bounds, lambda value: value
    elif hasattr(annotation, "__metadata__"):
        limits = [limit for one in annotation.__metadata__ for limit in getattr(one, "metadata", [one])]
        yield from numbers(annotation.__origin__, limits)
    elif origin is tuple:
        for place, one in enumerate(inner):
            for whole, bounds, wrap in numbers(one, []):
                yield (
                    whole,
                    bounds,
                    lambda value, place=place, wrap=wrap, bounds=bounds: [
                        wrap(value) if other == place else least(bounds) for other in range(len(inner))
                    ],
                )
    elif origin is list:
        for whole, bounds, wrap in numbers(inner[0], []):
            yield whole, bounds, lambda value, wrap=wrap: [wrap(value)]
    elif origin not in (dict, Literal):
        for one in inner:
            yield from numbers(one, metadata)


def least(bounds):
    return bounds["ge"] if "ge" in bounds else bounds.get("gt", 0) + 1


def numeric_keys():
    for key, _, _, field in keys(Configuration):
        for number, (whole, bounds, wrap) in enumerate(numbers(field.annotation, field.metadata)):
            yield pytest.param(key, field, whole, bounds, wrap, id=f"{key}-{number}")


def whole_numbers_to_choose_from():
    for key, _, _, field in keys(Configuration):
        if get_origin(field.annotation) is Literal and isinstance(get_args(field.annotation)[0], int):
            yield key, get_args(field.annotation)


# what a section that a test makes by name must hold beside the key that is tested
REQUIRED = {
    "compare.NAME": {"table": "spines", "formula": "volume_um3 ~ condition"},
    "compare.NAME.errors.NAME": {"rate": "recall", "value": 0.8, "number": 100},
}


def nested(key, value):
    parts = key.split(".")
    for place in range(len(parts) - 1, -1, -1):
        value = REQUIRED.get(".".join(parts[:place]), {}) | {parts[place]: value}
    return value


def refused(key, value):
    """The message that refuses a value of a key, which has nothing else to say."""
    with pytest.raises(ValueError, match=r"has 1 error") as error:
        complete(nested(key, value))
    return str(error.value).splitlines()[1]


@pytest.mark.parametrize(("key", "field", "whole", "bounds", "wrap"), numeric_keys())
def test_every_number_has_a_range_and_is_refused_beyond_it(key, field: FieldInfo, whole, bounds, wrap):
    assert ("ge" in bounds) != ("gt" in bounds) and ("le" in bounds) != ("lt" in bounds), "no limit, or two"
    limit = bounds.get("le", bounds.get("lt"))
    bad = [-1, HUGE, *NOT_FINITE, True, "5", [[]], 2 * limit]
    bad += [0] if least(bounds) > 0 else []
    bad += [least(bounds) + 0.5, float(least(bounds))] if whole else []
    for value in bad:
        message = refused(key, wrap(value))
        assert key in message
        assert ("whole number" if whole else "a number") in message and f"{limit:,}" in message
        shown = {True: "true", "5": "'5'"}.get(value, repr(value)) if isinstance(value, bool | str) else repr(value)
        assert shown in message, message


@pytest.mark.parametrize(("key", "field", "whole", "bounds", "wrap"), numeric_keys())
def test_the_range_is_written_where_keys_are_described(key, field, whole, bounds, wrap):
    row = next(line for line in GENERATED["config/README.md"]().splitlines() if line.startswith(f"| `{key}` |"))
    assert allowed(field.annotation, field.metadata).removesuffix(" or nothing") in row


@pytest.mark.parametrize(("key", "choices"), whole_numbers_to_choose_from())
def test_a_choice_of_whole_numbers_takes_these_alone(key, choices):
    for value in (-1, 0, float(choices[0]), str(choices[0]), True, None, HUGE):
        assert f"{key}: give one of {', '.join(map(str, choices))}, not" in refused(key, value)
    assert complete(nested(key, choices[0]))


def test_a_number_without_a_point_is_a_number_though_yaml_reads_text():
    given = yaml.safe_load("{neurons: {hks: {bands: {cutoff: 2e-5}}}}")
    assert isinstance(given["neurons"]["hks"]["bands"]["cutoff"], str)
    assert complete(given)["neurons"]["hks"]["bands"]["cutoff"] == 2e-5


def test_folders_are_named_in_one_way():
    config = complete({"results": "./results//mine/", "resources": "resources/"})
    assert (config["results"], config["resources"]) == ("results/mine", "resources")


def test_the_field_of_a_specimen_has_one_voxel():
    assert [1000 * size for size in FIELD_VOXEL_UM] == pytest.approx(FIELD_VOXEL_NM)


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
