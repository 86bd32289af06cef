"""Every reference is whole, and a text gets those that it cites."""

import re
from pathlib import Path

import pytest

from spinome.report.bibliography import bibliography, cited, entries
from spinome.report.methods import __file__ as METHODS

REQUIRED = {
    "article": {"author", "title", "journal", "year", "doi"},
    "inproceedings": {"author", "title", "booktitle", "year"},
    "incollection": {"author", "title", "booktitle", "publisher", "year"},
    "book": {"author", "title", "publisher", "year"},
    "misc": {"author", "title", "year"},
    "software": {"author", "title", "version"},
}
ENTRIES = entries("1.2.3")


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_has_the_fields_of_its_kind(key):
    text = ENTRIES[key]
    kind = re.match(r"@(\w+)\{(\w+),", text)
    fields = dict(re.findall(r"^  (\w+) = \{(.+)\},?$", text, re.MULTILINE))
    # a paper from before there were digital identifiers has an address
    found = fields.keys() | ({"doi"} if "url" in fields else set())
    assert kind[2] == key and found >= REQUIRED[kind[1]]
    assert text.count("{") == text.count("}")
    assert key.startswith("spinome") or key[-4:] == fields["year"] or re.fullmatch(r"grayroncal2015\w+", key)
    assert re.fullmatch(r"10\.\d{4,5}/\S+", fields.get("doi", "10.1000/none"))


def test_each_work_is_there_once():
    dois = [found for text in ENTRIES.values() for found in re.findall(r"doi = \{(.+)\}", text)]
    assert len(dois) > 20 and len(set(dois)) == len(dois)


def test_a_text_gets_what_it_cites_in_its_order():
    text = "Trees [@geurts2006; @platt1999], trees again [@geurts2006] and Spinome [@spinome]. Mail a@b.org."
    assert cited(text) == ["geurts2006", "platt1999", "spinome"]
    assert re.findall(r"^@\w+\{(\w+)", bibliography(cited(text), "1.2.3"), re.MULTILINE) == cited(text)
    assert "version = {1.2.3}" in bibliography(["spinome"], "1.2.3")


def test_every_entry_is_cited_by_some_run_and_every_citation_has_one():
    assert set(cited(Path(METHODS).read_text())) == set(ENTRIES)
