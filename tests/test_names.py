"""Names of samples: every file that is named after one fits every file system."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from spinome.names import LONGEST, bytes_in_file_names, plain_name, same_files

RULES = Path(__file__).parents[1] / "workflow" / "rules"
# what `spinome.io.atomic` puts around a name while a file or a folder is written
WHILE_WRITTEN = len("..4194304.part.earlier")
LONGEST_FILE_NAME = 255


@pytest.mark.parametrize("name", ["a", "A-b_c+1", "mütze", "x" * LONGEST, "00", "-", "nano", "console", "sheet", "com"])
def test_names_that_can_be_files(name):
    assert plain_name(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "letters, digits"),
        ("a b", "letters, digits"),
        ("a.b", "letters, digits"),
        ("a/b", "letters, digits"),
        ("a\u0308", "letters, digits"),
        ("x" * (LONGEST + 1), f"{LONGEST + 1} bytes"),
        ("ü" * 30, "180 bytes"),
        ("Aux", "device"),
        ("com1", "device"),
        ("nan", "missing value"),
        ("FALSE", "yes or no"),
    ],
)
def test_names_that_cannot(name, words):
    with pytest.raises(ValueError, match=words):
        plain_name(name)


def test_names_that_some_disks_take_for_one():
    assert list(same_files(["a", "b", "A", "a", "ab"])) == [("a", "A")]
    assert list(same_files(["É", "e\u0301"])) == [("É", "e\u0301")]
    assert list(same_files([])) == []


def test_the_longest_name_fits_into_every_file_that_a_rule_writes():
    patterns = {path for file in RULES.glob("*.smk") for path in re.findall(r'"(<[^"]+)"', file.read_text())}
    assert len(patterns) > 100
    longest = "x" * LONGEST
    series = {"specimen": "x" * (LONGEST - 4), "field": "y", "timepoint": "z", "series": "x" * (LONGEST - 2)}
    for pattern in patterns:
        name = pattern.rpartition("/")[2].replace("{{", "{").replace("}}", "}")
        filled = re.sub(r"\{(\w+)\}", lambda match: series.get(match[1], longest), name)
        assert len(filled) + WHILE_WRITTEN <= LONGEST_FILE_NAME, pattern


def test_the_longest_name_fits_into_the_files_of_units():
    for unit in ("x" * LONGEST, f"volume-{'x' * LONGEST}/{2**64 - 1}"):
        assert len(quote(unit, safe="+,=@ ")) + len(".parquet") + WHILE_WRITTEN <= LONGEST_FILE_NAME
    # letters of other alphabets count as they are written there
    name = "ж" * 29
    assert bytes_in_file_names(name) == len(quote(name, safe="+,=@ ")) <= LONGEST
