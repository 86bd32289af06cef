"""The Methods paragraph says what this run did, and nothing that it did not do."""

import pandas as pd
import pytest

from spinome.configuration import complete
from spinome.report.bibliography import cited
from spinome.report.methods import methods

PROVENANCE = {
    "spinome": "0.1.0", "snakemake": "9.14", "configuration": "abc123",
    "versions": {"NumPy": "2.4", "scikit-learn": "1.9", "pytest": "9"},
}  # fmt: skip
SHIPPED = {"origin": "shipped", "file": "judge.skops", "stamp": "f00"}
GIVEN = {"origin": "given", "file": "mine.safetensors", "stamp": "b0b"}
TRAINED = {"origin": "trained", "teachers": ["a", "b", "c"]}
TWOPHOTON = {"series": 2, "stacks": 6, "repeated": True, "models": {"detector": GIVEN, "judge": SHIPPED}}
SYNAPSES = {"volumes": 3, "detected": 2, "kind": "network", "adapted": False, "learns": False, "relearns": False,
            "models": {"synapses": TRAINED}}  # fmt: skip
LINKING = {"volumes": 2, "computed": 2, "graphs": 1,
           "models": {"links": SHIPPED, "membranes": SHIPPED, "agglomeration": SHIPPED}}  # fmt: skip
NEURONS = {"sheet": 1, "volumes": 0, "with_synapses": True, "models": {"neurons": SHIPPED}}
TABLES = {
    "specimens": pd.DataFrame({"specimen": ["a", "b"], "spines": [1, 1]}),
    "completeness": pd.DataFrame({"step": ["x", "y"], "units": [7, 5], "missing": [0, 2], "fraction": [0, 0.4]}),
    "objects": pd.DataFrame({"synapse": range(1500)}),
    "links": pd.DataFrame({"volume": "v", "orphan": [1, 1, 2], "linked": [True, False, False]}),
    "link_limits": pd.DataFrame({"volume": ["v"], "linked_from": [0.6]}),
    "neuron_table": pd.DataFrame({"on_spine": [1, None], "on_shaft": [1, None], "on_soma": [0, None]}),
}


def write(told, design=None, changed=None, **keys):
    return methods(told, complete(keys), PROVENANCE, TABLES, design or {}, changed or {})


def test_versions_seed_and_settings():
    text = write({}, changed={"twophoton.track.gate_um": 2.0, "synapses.mask.make": True}, seed=7)
    assert "Spinome 0.1.0 [@spinome], run by Snakemake 9.14" in text and "numpy 2.4 and scikit-learn 1.9" in text
    assert "The random seed was 7." in text and "(hash abc123)" in text
    assert "not the defaults: `twophoton.track.gate_um` 2.0; `synapses.mask.make` true." in text
    assert "All settings were defaults." in write({})


def test_a_published_network_is_named_by_its_address():
    published = {"origin": "published", "file": "https://a.org/net.chkpt", "stamp": "sha256 a1a1"}
    text = write({"synapses": {**SYNAPSES, "adapted": True, "models": {"synapses": published}}})
    assert "(the published network at https://a.org/net.chkpt (sha256 a1a1))" in text and "half of the way" in text


def test_a_judge_that_learned_from_answers_is_named():
    judged = write({"synapses": SYNAPSES | {"learns": True}})
    assert "Which candidates are synapses was learned from what people answered" in judged
    both = write({"synapses": SYNAPSES | {"learns": True, "relearns": True}})
    assert "The network, or which of its candidates are synapses, was learned from what people answered" in both
    assert "what people answered" not in write({"synapses": SYNAPSES})


def test_numbers_are_those_of_the_tables():
    text = write({"synapses": SYNAPSES, "linking": LINKING, "neurons": NEURONS})
    assert "In all, 2 spines were found. 2 of 5 units of the step y could not be computed" in text
    assert "1,500 synapses were counted in blocks of 5 x 5 x 5 um" in text
    assert "1 of 2 orphans got a parent" in text
    assert "2 input synapses took the label" in text and "1 neuron mesh " in text
    assert "7 units" not in text


def test_an_older_model_of_links_is_a_forest_alone():
    new = write({"linking": LINKING})
    older = methods(
        {"linking": LINKING},
        complete({}),
        PROVENANCE,
        TABLES | {"link_limits": pd.DataFrame({"volume": ["v"], "linked_from": [0.3]})},
        {},
        {},
    )
    assert "conditional logit" in new and "at least 0.6" in new
    assert "conditional logit" not in older and "at least 0.3" in older


def test_each_model_says_where_it_comes_from():
    text = write({"twophoton": TWOPHOTON, "synapses": SYNAPSES})
    assert "(the model mine.safetensors, hash b0b)" in text
    assert "(the model that Spinome ships, judge.skops, hash f00)" in text
    assert "(trained in this run on a, b and c)" in text


@pytest.mark.parametrize(
    ("told", "there", "not_there"),
    [
        ({"twophoton": TWOPHOTON}, {"osunavargas2025", "zhu2021", "jolly1965"}, {"pedigo2026", "lee2017"}),
        ({"twophoton": TWOPHOTON | {"models": {}}}, {"osunavargas2025"}, {"zhu2021", "platt1999"}),
        ({"twophoton": TWOPHOTON | {"repeated": False}}, {"risher2014"}, {"jolly1965", "kaplan1958", "oldham1962"}),
        ({"synapses": SYNAPSES}, {"lee2017"}, {"grayroncal2015vesicle", "li2016", "bates2015"}),
        ({"synapses": SYNAPSES | {"adapted": True}}, {"lee2017", "li2016", "schneider2020"}, set()),
        ({"synapses": SYNAPSES | {"kind": "forest"}}, {"grayroncal2015vesicle"}, {"lee2017"}),
        ({"synapses": SYNAPSES | {"detected": 0, "models": {}}}, {"moran1950"}, {"grayroncal2015vesicle", "lee2017"}),
        ({"linking": LINKING}, {"ronneberger2015", "cousty2009", "nuneziglesias2013"}, set()),
        ({"linking": LINKING | {"computed": 0, "models": {"links": SHIPPED}}}, {"grayroncal2016"}, {"cousty2009"}),
        ({"neurons": NEURONS}, {"takahashi1973", "sharp2020", "garland1997"}, {"vallet2008"}),
    ],
)  # fmt: skip
def test_what_was_not_used_is_not_cited(told, there, not_there):
    keys = set(cited(write(told)))
    assert there <= keys and not keys & not_there


def test_keys_choose_what_is_told():
    text = write(
        {"neurons": NEURONS, "linking": LINKING | {"models": {"links": SHIPPED}}},
        neurons={"hks": {"solver": "bands"}, "simplify": {"reduction": 0.7}},
        linking={"agglomerate": {"priority": "median"}},
    )
    assert "by 70% of their faces by quadric error [@garland1997]" in text
    assert "somata were simplified to 15 vertices per um2" in text
    assert "[@vallet2008]" in text and "takahashi1973" not in text
    assert "the order that the median membrane probability of their contact gives them" in text


def test_animals_are_counted_by_level():
    animals = {"1": "control", "2": "control", "3": "enriched"}
    samples = {f"stacks/{n}.{field}.0": {"animal": n, "sex": level} for n, level in animals.items() for field in "ab"}
    columns = {"animal": "string", "sex": "string", "age": "number", "weight": "number"}
    text = write({}, design={"columns": columns, "samples": samples | {"volumes/v": {"animal": "4"}}, "remarks": []})
    assert "from 4 animals. The factor sex had the levels control (2 animals) and enriched (1 animal)." in text
    assert "Covariates: age and weight." in text


def test_comparisons_are_told_by_their_formulas():
    size = {"table": "spines", "formula": "log(volume_um3) ~ sex + (1 | animal)"}
    alone, several = write({}, compare={"size": size}), write({}, compare={"size": size, "other": size})
    assert "1 comparison was made: `log(volume_um3) ~ sex + (1 | animal)` on the table spines." in alone
    assert "bates2015" in cited(alone) and not {"holm1979", "benjamini1995"} & set(cited(alone))
    assert "2 comparisons were made" in several and {"holm1979", "benjamini1995"} <= set(cited(several))
    carried = write({}, compare={"size": size | {"probability": "probability"}})
    assert "error of the machine" in carried and "error of the machine" not in several
