"""Every branch has its section, with its own figures, scores and tables."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from spinome.census.matches import MATCH_COLUMNS
from spinome.report.sections import sections
from spinome.report.style import save_figure
from spinome.report.summaries import EFFECT_COLUMNS

SPECIMENS = pd.DataFrame(
    {"specimen": ["n"], "view": "neurons", "rows": 1, "spines": 1, "synapses": 1, "median_volume_um3": 0.1}
)
SCORES = pd.DataFrame({"metric": ["f1"], "value": [0.9], "ci_low": [0.8], "ci_high": [1.0], "n": [9], "unit": ["x"]})


@pytest.fixture
def tables():
    return {
        "specimens": SPECIMENS,
        "matches": pd.DataFrame(columns=MATCH_COLUMNS),
        "objects": pd.DataFrame({"volume": ["v"], "voxels": [10], "score": [0.7]}),
        "blocks": pd.DataFrame({"volume": ["v"], "block": ["b"], "synapses": [1], "unmasked_um3": [2.0]}),
        "limits": pd.DataFrame(
            {"volume": ["v"], "unlikeness": 3.0, "limit": 2.0, "unlike": True, "differs": "grey", "remedy": "label it"}
        ).assign(lacking=""),
    }


def folder(path, *names):
    for name in names:
        save_figure(plt.figure(figsize=(1, 1)), path, name, name, "")
    return path


def test_each_section_has_its_own_figures_and_scores(tmp_path, tables):
    figures = {
        "synapses": [folder(tmp_path / "one", "density")],
        "census": [folder(tmp_path / "two", "sizes"), folder(tmp_path / "three", "agreement")],
    }
    synapses, census = sections(["synapses"], tables, {"census": SCORES}, figures, {})
    assert (synapses.key, [figure.name for figure in synapses.figures], synapses.scores) == (
        "synapses",
        ["density"],
        [],
    )
    assert [figure.name for figure in census.figures] == ["sizes", "agreement"]
    assert [score.metric for score in census.scores] == ["f1"]


def test_a_volume_that_the_model_does_not_know_is_told_of_on_top(tables):
    section = sections(["synapses"], tables, {}, {}, {})[0]
    assert section.lead.startswith("Warning: volume v is unlike the data that the model of synapses was trained on")
    assert "label it." in section.lead
    tables["limits"] = tables["limits"].assign(unlike=False)
    assert sections(["synapses"], tables, {}, {}, {})[0].lead.startswith("Voxels are classified")


def test_a_neuron_that_the_forest_does_not_know_is_told_of_on_top(tables):
    tables["neuron_limits"] = tables["limits"].rename(columns={"volume": "neuron"})
    cell = {"source": ["sheet"], "neuron": ["n"]}
    tables |= {
        "neuron_synapses": pd.DataFrame({**cell, "tag": ["spine"]}),
        "neuron_spines": pd.DataFrame(cell),
        "neuron_table": pd.DataFrame(
            {**cell, "spines": [1], "known": [True], "on_spine": [1], "on_shaft": [0], "on_soma": [0]}
        ).assign(unlabelled=0, multi_input=0),
    }
    lead = sections(["neurons"], tables, {}, {}, {})[0].lead
    assert lead.startswith("Warning: neuron v is unlike the data that the model of neurons was trained on")


def test_what_was_simulated_comes_first_where_anything_was(tables):
    sizes = {"volume_um3": 0.1, "head_diameter_nm": 500.0, "neck_length_nm": 300.0}
    truth = pd.DataFrame({"dendrite": [0, 0], "first_timepoint": 0, "last_timepoint": [0, 1]}).assign(**sizes)
    assert [section.key for section in sections([], tables, {}, {}, {"p": truth})] == ["phantom", "census"]
    assert [section.key for section in sections([], tables, {}, {}, {})] == ["census"]


def test_the_design_comes_before_what_was_found(tables):
    tables["levels"] = pd.DataFrame({"factor": ["animal", "sex"], "level": ["1", "f"], "spines": 1})
    columns = {"animal": "string", "sex": "string"}
    design = {"columns": columns, "samples": {"neurons/n": {"animal": "1", "sex": "f"}}, "remarks": []}
    first, census = sections([], tables, {}, {}, {}, design)
    assert (first.key, census.key) == ("design", "census")
    assert [text for text, _ in first.tables[0].rows[0]] == ["sex", "f", "1", "1", "1"]


def test_comparisons_come_last_where_any_were_asked_for(tmp_path, tables):
    row = dict.fromkeys(EFFECT_COLUMNS, 0.5) | {"comparison": "size", "term": "sex[m]", "note": "", "units": "6 animal"}
    given = {"comparisons": pd.DataFrame([row]), "plans": pd.DataFrame({"comparison": [], "power": []})}
    figures = {"compare": [folder(tmp_path / "compared", "size")]}
    _, compared = sections([], tables | given, {}, figures, {})
    assert (compared.key, [figure.name for figure in compared.figures]) == ("compare", ["size"])
    assert [table.title for table in compared.tables] == ["Effects"]
    assert compared.tables[0].rows[0][0] == ("size", False)


def test_so_are_orphans_that_the_model_of_links_does_not_know(tables):
    links = pd.DataFrame({"volume": ["v"], "orphan": 1, "shaft": 2, "probability": 0.9, "linked": True})
    violations = pd.DataFrame(columns=["volume", "kind", "violation"])
    shown = ["volume", "orphan", "worth", "synapses", "linked_to", "probability", "no_parent", "view"]
    linking = {"links": links, "violations": violations, "queue": pd.DataFrame(columns=shown)}
    section = sections(["linking"], tables | linking | {"link_limits": tables["limits"]}, {}, {}, {})[0]
    assert section.lead.startswith("Warning: volume v is unlike the data that the model of links was trained on")


def test_so_is_a_series_that_the_judge_of_spines_does_not_know(tables):
    tables["series_limits"] = tables["limits"].rename(columns={"volume": "series"})
    tables["tracked"] = pd.DataFrame({"specimen": ["m"], "field": "f", "timepoint": "0", "spine": 1})
    lead = sections(["twophoton"], tables, {}, {}, {})[0].lead
    assert lead.startswith("Warning: series v is unlike the data that the judge of spines was trained on")
