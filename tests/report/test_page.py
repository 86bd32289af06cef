"""The page holds everything itself, escapes what it shows, and renders whatever there is."""

import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from spinome.failures import COLUMNS as FAILURE_COLUMNS
from spinome.report.page import (
    Section,
    Tile,
    format_number,
    format_scores,
    format_table,
    read_figures,
    render,
)
from spinome.report.style import save_figure

PROVENANCE = {
    "spinome": "0.1.0",
    "snakemake": "9",
    "configuration": "abc",
    "code": {"io": "1"},
    "inputs": {"a.tif": {"bytes": 12345, "hash": "ff", "hashed": "whole"}},
    "versions": {"numpy": "2"},
}
VOID = {"meta", "img", "br", "input", "link", "hr"}


class Document(HTMLParser):
    """Collects tags and complains of tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def all(self, attribute):
        return [values[attribute] for _, values in self.tags if attribute in values]


@pytest.fixture
def page():
    def make(sections=(), tiles=(), failures=(), samples=None, unknown=()):
        return render(
            tiles=tiles,
            sections=sections,
            samples=samples or {},
            failures=pd.DataFrame(list(failures), columns=FAILURE_COLUMNS),
            provenance=PROVENANCE,
            configuration="seed: 0\n",
            unknown=unknown,
        )

    return make


@pytest.fixture
def section(tmp_path):
    figure, axes = plt.subplots(figsize=(1, 1))
    axes.plot([0, 1])
    save_figure(figure, tmp_path, "hks", "Heat kernels", "Where <b>heat</b> stays.")
    evaluation = pd.DataFrame(
        {
            "metric": ["weighted_f1"],
            "value": [0.91],
            "ci_low": [0.88],
            "ci_high": [0.94],
            "n": [812],
            "unit": ["synapses"],
        }
    )
    table = pd.DataFrame({"neuron": ["<script>alert(1)</script>"], "volume_um3": [0.123456], "spines": [1234]})
    return Section(
        "neurons", "Neuron meshes", "Lead.", read_figures(tmp_path), format_scores(evaluation),
        [format_table(table, "By neuron")],
    )  # fmt: skip


def test_nothing_is_loaded_from_elsewhere(page, section):
    document = Document(page([section]))
    assert document.all("src")
    assert all(source.startswith("data:image/png;base64,") for source in document.all("src"))
    assert all(target.startswith("#") for target in document.all("href"))
    assert not re.search(r"@import|url\(|<script|<link", page([section]))


def test_a_view_is_a_link_and_other_addresses_are_text(page):
    table = pd.DataFrame({"view": ["https://viewer/#!%7B%7D"], "reason": ["https://elsewhere is not there"]})
    document = Document(page([Section("linking", "Linking", "", tables=[format_table(table, "Queue")])]))
    assert [target for target in document.all("href") if not target.startswith("#")] == ["https://viewer/#!%7B%7D"]


def test_the_contents_lead_to_every_section(page, section):
    document = Document(page([section, Section("census", "Census", "")]))
    targets = [target.removeprefix("#") for target in document.all("href")]
    assert targets == ["summary", "neurons", "census", "failures", "provenance"]
    assert set(targets) <= set(document.all("id"))


def test_what_tables_and_captions_hold_is_escaped(page, section):
    text = page([section], failures=[("step", "<i>unit</i>", "a & b")])
    assert "<script>" not in text and "<b>heat</b>" not in text and "<i>unit</i>" not in text
    assert "&lt;script&gt;" in text and "a &amp; b" in text


def test_scores_are_shown_with_interval_and_count(page, section):
    text = page([section])
    assert "weighted f1" in text and "0.910" in text and "0.880 to 0.940" in text and "812 synapses" in text
    assert 'style="left:91.0%"' in text and 'style="left:88.0%;width:6.0%"' in text


def test_numbers_of_the_summary_and_samples(page):
    text = page(tiles=[Tile("1,234", "spines on meshes", "91 % of the true ones")], samples={"neurons": ["n1", "n2"]})
    assert "1,234" in text and "91 % of the true ones" in text and "n1, n2" in text


def test_failures_are_listed_and_their_absence_is_said(page):
    assert "No unit failed." in page()
    text = page(failures=[("neurons_hks", "n7", "ValueError: n7.npz: has NaN vertices")])
    assert "n7.npz: has NaN vertices" in text and "No unit failed." not in text


def test_the_methods_paragraph_is_shown_with_its_references():
    text = render(
        tiles=(), sections=(), samples={}, failures=pd.DataFrame(columns=FAILURE_COLUMNS), provenance=PROVENANCE,
        configuration="", methods="# Methods\n\nSpines of <a> [@spinome].\n\n*Check it.*\n",
        bibliography="@software{spinome,\n}",
    )  # fmt: skip
    document = Document(text)
    assert "#methods" in document.all("href") and "methods" in document.all("id")
    assert '<p class="text">Spines of &lt;a&gt; [@spinome].</p>' in text and "Check it." in text
    assert "@software{spinome," in text and "# Methods" not in text


def test_the_page_of_an_empty_run_renders(page):
    Document(page())


def test_figures_keep_their_order_and_an_absent_one_is_named(tmp_path):
    for name in ("b", "a"):
        save_figure(plt.figure(figsize=(1, 1)), tmp_path, name, name, "")
    assert [figure.name for figure in read_figures(tmp_path)] == ["b", "a"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        read_figures(tmp_path)
    assert read_figures(tmp_path / "absent") == []


def test_scores_without_interval_or_beyond_one_have_no_bar():
    frame = pd.DataFrame(
        {
            "metric": ["ari", "drift", "n"],
            "value": [0.5, 12.25, np.nan],
            "ci_low": [np.nan, 10, np.nan],
            "ci_high": [np.nan, 14, np.nan],
            "n": [3, 4, np.nan],
            "unit": ["volumes", "sessions", ""],
        }
    )
    ari, drift, absent = format_scores(frame)
    assert (ari.dot, ari.low, ari.interval) == (50.0, None, "")
    assert (drift.dot, drift.value, drift.interval) == (None, "12.2", "10 to 14")
    assert (absent.value, absent.dot, absent.n) == ("–", None, "")


def test_tables_say_when_they_are_cut_and_how_columns_are_measured():
    table = format_table(pd.DataFrame({"neck_length_um": range(50)}), "Necks", limit=5)
    assert table.columns == ["neck length (µm)"]
    assert len(table.rows) == 5 and table.note == "The first 5 of 50 rows."
    assert format_table(pd.DataFrame({"a": []}), "").rows == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234567, "1,234,567"), (0.05, "0.050"), (0.00123, "0.00123"), (12.3456, "12.3"), (4512.7, "4,513"), (1.0, "1"),
     (None, "–"), (float("nan"), "–"), (0, "0"), (-0.25, "-0.250")],
)  # fmt: skip
def test_numbers(value, text):
    assert format_number(value) == text


def test_what_is_not_known_stands_on_top(page):
    text = page(unknown=["3 of 40 groups of orphans: <not known>."])
    told, tiles = text.index("Not everything is known."), text.index('class="tiles"')
    assert told < tiles and "<li>3 of 40 groups of orphans: &lt;not known&gt;.</li>" in text
    assert "Not everything is known" not in page()
