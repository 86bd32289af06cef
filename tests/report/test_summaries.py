"""What the report says in numbers, against small tables."""

import re
from pathlib import Path

import pandas as pd
import pytest

from spinome.census.specimens import COLUMNS, by_specimen
from spinome.report import summaries

LIMITS = pd.DataFrame({"volume": ["v", "w"], "unlikeness": [1.5, 7.0]})


@pytest.fixture
def specimens():
    spines = pd.DataFrame(
        {
            "spine": ["a", "b", "c", "d", "e"],
            "source": ["twophoton", "twophoton", "twophoton", "neurons", "neurons"],
            "sheet": ["stacks", "stacks", "stacks", "neurons", "volumes"],
            "specimen": "p",
            "track": ["t1", "t1", "t2", None, None],
            "synapses": [None, None, None, 2.0, 1.0],
            "volume_um3": [0.1, 0.2, None, 0.3, 0.4],
        }
    )
    return by_specimen(spines)


def neuron_rows(*rows):
    """Rows of `neurons/neurons.parquet`: name, whether it is known, spines, on spine, shaft and soma, unlabelled and
    multi-input."""
    counts = ["spines", "on_spine", "on_shaft", "on_soma", "unlabelled", "multi_input"]
    table = pd.DataFrame(rows, columns=["neuron", "known", *counts]).assign(source="sheet", synapses=1, reason="")
    return table.astype(dict.fromkeys(counts, "Int64"))


FAILURES = pd.DataFrame({"step": ["x", "x"], "unit": ["1", "2"], "reason": ["bad", "bad"]})


def test_tiles_count_tracks_once_and_stand_beside_the_truth(specimens):
    scores = pd.DataFrame({"metric": ["twophoton_found"], "value": [0.8], "ci_low": [0.7], "ci_high": [0.9]})
    found = {tile.label: tile for tile in summaries.tiles({"specimens": specimens}, {"census": scores}, FAILURES)}
    assert found["spines in two-photon stacks"].value == "2"
    assert found["spines in two-photon stacks"].note.startswith("80 % (70 to 90)")
    assert found["spines on meshes"].value == "1" and found["spines on meshes"].note == ""
    assert found["spines on meshes made from EM"].value == "1"
    assert found["failed units"].value == "2"


def test_tiles_carry_the_score_of_their_branch(specimens):
    tracked = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": ["0", "1", "0"], "spine": [1, 1, 2]})
    scores = pd.DataFrame({"metric": ["idf1"], "value": [0.7], "ci_low": [0.65], "ci_high": [0.75]})
    tables = {"specimens": specimens, "tracked": tracked}
    found = {tile.label: tile for tile in summaries.tiles(tables, {"twophoton": scores}, FAILURES)}
    tile = found["spines on dendrites followed from session to session"]
    assert (tile.value, tile.note) == ("1", "IDF1 0.70 (0.65 to 0.75) where the truth is known")


def test_tiles_of_an_empty_run(specimens):
    (tile,) = summaries.tiles({"specimens": specimens.iloc[:0]}, {}, FAILURES.iloc[:0])
    assert (tile.value, tile.note) == ("0", "every unit went through")


def test_series(specimens):
    table = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": ["0", "1", "0"], "spine": [1, 1, 2]})
    (row,) = summaries.summarise_twophoton({"tracked": table})["Spines through time"].to_dict("records")
    assert (row["sessions"], row["detections"], row["tracks"], row["seen_more_than_once"]) == (2, 3, 2, 1)


def test_doubtful_sizes_and_what_is_beside_no_dendrite_are_counted():
    table = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": "0", "spine": range(5)})
    table = table.assign(dendrite=[0, 0, 0, 1, -1], shaft_saturated=[True, True, False, False, True])
    table = table.assign(size_at_bound=[False, False, True, False, True])
    (row,) = summaries.summarise_twophoton({"tracked": table})["Spines through time"].to_dict("records")
    assert (row["detections"], row["beside_no_dendrite"]) == (4, 1)
    assert (row["beside_a_saturated_shaft"], row["as_wide_as_the_fit_allows"]) == (2, 1)
    twice = pd.concat([table, table.assign(timepoint="1")])
    tiles = summaries.tiles({"specimens": pd.DataFrame(columns=list(COLUMNS)), "tracked": twice}, {}, FAILURES)
    assert {tile.label: tile.value for tile in tiles}["spines on dendrites followed from session to session"] == "4"


def test_turnover_stands_with_its_interval_where_there_is_one():
    tracked = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": ["0"], "spine": [1]})
    counts = dict.fromkeys(("days", "spines", "next_spines", "stable", "gained", "recurrent", "lost"), 3)
    pairs = pd.DataFrame(
        {"specimen": "m", "field": "f", "timepoint": ["0", "1"], "next_timepoint": ["1", "2"], **counts}
    )
    pairs = pairs.assign(turnover_ratio=0.2, turnover_low=[0.1, None], turnover_high=[0.3, None])
    table = summaries.summarise_twophoton({"tracked": tracked, "turnover": pairs})["Turnover"]
    assert table["turnover"].tolist() == ["0.20 (0.10 to 0.30)", "0.20"]
    assert not {"turnover_low", "turnover_high"} & set(table)


def test_corrections_are_counted_and_those_not_applied_are_named():
    tracked = pd.DataFrame({"specimen": "m", "field": "f", "timepoint": ["0"], "spine": [1]})
    place = {"timepoint": "0", "z_um": 1.0, "y_um": 2.0, "x_um": 3.0}
    corrections = pd.DataFrame({"specimen": "m", "field": "f", "decision": ["same", "same", "no spine"], **place})
    corrections = corrections.assign(applied=[True, False, True], reason=["", "no spine of 0 was found", ""])
    tables = summaries.summarise_twophoton({"tracked": tracked, "corrections": corrections})
    counted = tables["Corrections by hand"].set_index("decision")
    assert counted.loc["same", ["rows", "applied"]].tolist() == [2, 1]
    assert counted.loc["no spine", "applied"] == 1
    assert tables["Corrections that could not be applied"]["reason"].tolist() == ["no spine of 0 was found"]


def test_volumes():
    blocks = pd.DataFrame(
        {"volume": ["v", "v", "w"], "block": [0, 1, 0], "synapses": [3, 1, 0], "unmasked_um3": [2, 2, 0]}
    )
    objects = pd.DataFrame({"volume": ["v"] * 5})
    rows = summaries.summarise_synapses(objects, blocks, LIMITS)["Synapses by volume"].set_index("volume")
    assert rows.loc["v", ["synapses", "in_blocks", "density_per_um3"]].tolist() == [5, 4, 1]
    assert rows.loc["w", "synapses"] == 0 and pd.isna(rows.loc["w", "density_per_um3"])


def test_links():
    links = pd.DataFrame(
        {
            "volume": "v",
            "orphan": [1, 1, 2],
            "shaft": [7, 8, 7],
            "probability": [0.9, 0.1, 0.3],
            "linked": [True, False, False],
        }
    )
    violations = pd.DataFrame({"volume": "v", "object": [1, 2, 7], "kind": ["orphan", "orphan", "shaft"],
                               "violation": ["has no parent", "has no parent", "does not reach the edge"]})  # fmt: skip
    queue = pd.DataFrame(
        {"volume": "v", "orphan": [2, 1], "worth": [3.0, 0.5], "synapses": 1, "linked_to": [0, 7],
         "probability": [0.0, 0.9], "no_parent": [0.7, 0.1], "view": ["https://two", "https://one"]}
    )  # fmt: skip
    tables = summaries.summarise_linking(links, violations, queue, LIMITS)
    (row,) = tables["Links by volume"].to_dict("records")
    assert (row["orphans"], row["candidates"], row["linked"], row["unlikeness"]) == (2, 3, 1, 1.5)
    assert row["mean_probability_of_links"] == pytest.approx(0.9)
    assert tables["Violations of the grammar"]["count"].tolist() == [2, 1]
    (queued, _) = next(table for name, table in tables.items() if "mend" in name).to_dict("records")
    assert (queued["orphan"], queued["worth (pairs)"]) == (2, 3)


def test_conflicts_between_links_and_labels_have_their_view():
    agreement = pd.DataFrame(
        {"volume": "v", "evidence": ["conflict", "conflict", "agree"], "verdict": ["c", "spine", "a"],
         "orphan": [1, 0, 2], "shaft": 7, "link_probability": [0.9, None, 0.3], "spine_probability": [0.1, 0.9, 0.9],
         "doubt": [0.9, None, 0.5], "right": pd.array([False, pd.NA, True], "boolean")}
    )  # fmt: skip
    queue = pd.DataFrame({"volume": "v", "orphan": [2, 1], "view": ["https://two", "https://one"]})
    none = pd.DataFrame(columns=list(COLUMNS))
    tables = summaries.summarise_census({"specimens": none, "matches": none, "agreement": agreement, "queue": queue})
    doubted = next(table for name, table in tables.items() if "doubt" in name)
    assert doubted["orphan"].tolist() == [1, 2] and doubted["view"].tolist() == ["https://one", "https://two"]
    found = tables["Links and labels of the linked meshes"].set_index("verdict")
    assert found.loc["c", ["with_truth", "right"]].tolist() == [1, 0] and found.loc["spine", "with_truth"] == 0


def test_neurons():
    neurons = neuron_rows(("n", True, 2, 2, 1, 0, 1, 1), ("bare", True, 1, None, None, None, None, None))
    rows = summaries.summarise_neurons(neurons)["Input and spines by neuron"].set_index("neuron")
    assert rows.loc["n", ["input_synapses", "on_spine", "without_a_tag", "spines"]].tolist() == [4, 0.5, 1, 2]
    assert rows.loc["bare", "spines"] == 1 and pd.isna(rows.loc["bare", "input_synapses"])


@pytest.mark.parametrize(
    ("summarise", "columns"),
    [
        (lambda t: summaries.summarise_twophoton({"tracked": t}), "specimen field timepoint spine"),
        (lambda t: summaries.summarise_synapses(t, t, t), "volume block synapses unmasked_um3 unlikeness"),
        (lambda t: summaries.summarise_linking(t, t, t, t),
         "volume orphan shaft probability linked kind violation worth synapses linked_to no_parent view unlikeness"),
        (summaries.summarise_neurons, "source neuron known on_spine on_shaft on_soma unlabelled spines multi_input"),
        (lambda t: summaries.summarise_census({"specimens": t, "matches": t}), " ".join(COLUMNS)),
    ],
)  # fmt: skip
def test_empty_tables(summarise, columns):
    for table in summarise(pd.DataFrame(columns=columns.split())).values():
        assert table.empty


def test_simulated_specimens():
    truth = pd.DataFrame(
        {"dendrite": [0, 1], "first_timepoint": [0, 2], "last_timepoint": [4, 4], "volume_um3": [0.1, 0.2],
         "head_diameter_nm": 400.0, "neck_length_nm": 500.0}
    )  # fmt: skip
    (row,) = summaries.summarise_phantom({"p": truth})["Simulated specimens"].to_dict("records")
    assert (row["spines"], row["sessions"], row["there in all"]) == (2, 5, 1)


COMPLETENESS = pd.DataFrame(
    [("linking_candidates", 40, 3, 0.075), ("neurons_hks", 4, 1, 0.25), ("synapses_detect", 9, 0, 0.0)],
    columns=["step", "units", "missing", "fraction"],
)


def test_what_is_not_known_is_told_by_step():
    candidates, neurons = summaries.tell_unknown(COMPLETENESS, 0.1)
    assert candidates.startswith("3 of 40 groups of orphans (linking_candidates): whether these orphans have a parent")
    assert neurons.startswith("1 of 4 neurons (neurons_hks, more than max_failed_fraction allows): ")
    assert summaries.tell_unknown(COMPLETENESS.iloc[2:], 0.1) == []


def test_every_step_that_can_fail_has_its_words():
    """The tables of failed units that the rules write."""
    rules = (Path(__file__).parents[2] / "workflow" / "rules").glob("*.smk")
    steps = {step for path in rules for step in re.findall(r'failures="<results>/failures/(\w+)/', path.read_text())}
    assert steps == set(summaries.WITHOUT)


def test_counts_that_are_not_known_are_no_zeros():
    blocks = pd.DataFrame({"volume": "v", "block": [0, 1], "synapses": pd.array([3, None], "Int64"),
                           "unmasked_um3": [2.0, None], "known": [True, False]})  # fmt: skip
    row = summaries.summarise_synapses(pd.DataFrame({"volume": ["v"] * 5}), blocks, LIMITS)["Synapses by volume"].iloc[
        0
    ]
    assert row["density_per_um3"] == 1.5 and row["blocks_not_known"] == 1
    lost = summaries.summarise_synapses(pd.DataFrame({"volume": []}), blocks.iloc[1:], LIMITS)[
        "Synapses by volume"
    ].iloc[0]
    assert pd.isna(lost["in_blocks"]) and pd.isna(lost["unmasked_um3"]) and pd.isna(lost["density_per_um3"])
    neurons = neuron_rows(
        ("a", True, 1, 1, 0, 0, 0, 1),
        ("b", False, None, None, None, None, 1, None),
        ("c", False, 1, None, None, None, None, None),
        ("bare", True, 0, 0, 0, 0, 0, 0),
    )
    tables = summaries.summarise_neurons(neurons)
    counted = tables["Input and spines by neuron"].set_index("neuron")
    assert counted["spines"].tolist() == [1, pd.NA, 0, 1]
    assert counted["on_spine"].isna().tolist() == [False, True, True, True]
    assert pd.isna(counted.loc["c", "multi-input"]) and counted.loc["a", "multi-input"] == 1
    assert tables["Neurons of which not all is known"]["neuron"].tolist() == ["b", "c"]
    links = pd.DataFrame({"volume": "v", "orphan": [1, 2], "shaft": [7, 0], "probability": [0.9, None],
                          "linked": [True, False], "known": [True, False]})  # fmt: skip
    none = pd.DataFrame(columns=list(COLUMNS))
    tiles = {tile.label: tile for tile in summaries.tiles({"specimens": none, "links": links}, {}, FAILURES)}
    assert tiles["of 2 orphan spines linked to a shaft"].note == "1 are not known"
