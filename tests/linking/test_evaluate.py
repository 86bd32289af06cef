"""The graph in all its states, by hand: before, as linked, with a proofreader, and with the truth."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.gaps import gap_table, without_gaps
from spinome.linking.evaluate import graph_rows, graph_states, overlaps_by_cuboid, score_states
from spinome.linking.line_graph import induced, line_graph, rename_neurites
from spinome.scores.overlap import overlaps
from volumes import draw_cut, draw_labels, draw_shape

# orphans 10 and 11 belong to shaft 1, 12 to shaft 2; 11 is linked to the wrong shaft and its true one is second
LINKS = pd.DataFrame(
    [(10, 1, 1, True), (11, 2, 1, True), (11, 1, 2, False), (12, 1, 1, False), (12, 2, 3, False)],
    columns=["orphan", "shaft", "rank", "linked"],
).assign(probability=0.5)
TRUTH = pd.DataFrame({"orphan": [10, 11, 12], "shaft": [1, 1, 2]})
# synapses 1-3 on the orphans, 4 and 5 on shaft 1, 6 on shaft 2; the axons differ
SYNAPSES = pd.DataFrame(
    {"synapse": [1, 2, 3, 4, 5, 6], "neurite_a": [10, 11, 12, 1, 1, 2], "neurite_b": [20, 21, 22, 23, 24, 25]}
)
TRUE_PAIRS = line_graph(rename_neurites(SYNAPSES, {10: 1, 11: 1, 12: 2})) + 100
MATCH = {synapse: synapse + 100 for synapse in range(1, 7)}


def scores(fragments=None, match=None):
    none = pd.DataFrame(columns=["segment", "neurite", "voxels"])
    states = graph_states(LINKS, TRUTH, none if fragments is None else fragments)
    return score_states(SYNAPSES, states, TRUE_PAIRS, match or MATCH, set(TRUTH["orphan"]))


def test_the_subgraph_of_some_synapses():
    pairs = np.array([[1, 2], [2, 3], [1, 9]])
    assert induced(pairs, [1, 2, 3]).tolist() == [[1, 2], [2, 3]] and induced(pairs, []).tolist() == []


def test_states_by_hand():
    whole = {state: pair[0].f1 for state, pair in scores().items()}
    part = {state: pair[1].f1 for state, pair in scores().items()}
    # seven true pairs: six among synapses 1, 2, 4 and 5, one of 3 and 6; on the orphans the pair of 1 and 2 alone
    assert whole["orphans"] == pytest.approx(2 * 1 / (1 + 7)) and part["orphans"] == 0
    # 1, 4 and 5 are right; 2 with 6 is wrong
    assert whole["linked"] == pytest.approx(2 * 3 / (4 + 7)) and part["linked"] == 0
    assert whole["proofread_top_1"] == pytest.approx(2 * 3 / (3 + 7))
    assert whole["proofread_top_2"] == pytest.approx(2 * 6 / (6 + 7)) and part["proofread_top_2"] == 1
    assert whole["proofread_top_3"] == whole["proofread_top_10"] == whole["all"] == part["all"] == 1
    assert "largest_fragment" not in whole


def test_segments_go_to_the_largest_fragment_of_their_neurite():
    """Shaft 2 and its orphan are of one neurite, so is orphan 10; that of orphan 11 straddles two."""
    fragments = pd.DataFrame({"segment": [1, 10, 11, 2, 12], "neurite": [7, 7, 0, 8, 8], "voxels": [90, 5, 5, 80, 4]})
    score = scores(fragments)["largest_fragment"][0]
    assert (score.detected, score.true) == (4, 7) and score.precision == 1


def test_rows_are_pooled_over_volumes_and_named_by_state():
    parts = scores()
    rows = {row["metric"]: row for state in parts for row in graph_rows(state, [parts[state], parts[state]])}
    assert rows["graph_f1_linked"]["value"] == pytest.approx(parts["linked"][0].f1)
    assert rows["graph_f1_linked"]["n"] == 14 and rows["subgraph_f1_all"]["n"] == 2
    assert rows["graph_precision"]["value"] == pytest.approx(3 / 4) and rows["graph_recall"]["value"] == pytest.approx(
        3 / 7
    )
    assert len(rows) == 2 * len(parts) + 4


def test_a_synapse_that_was_not_found_is_no_part_of_the_subgraph():
    found = scores(match={synapse: true for synapse, true in MATCH.items() if synapse != 2})
    assert found["all"][1].true == 0 and np.isnan(found["all"][1].f1)
    assert found["all"][0].f1 < 1


@settings(max_examples=60)
@given(st.randoms())
def test_any_cuboids_give_the_overlaps_of_the_whole(random):
    shape = draw_shape(random)
    first, second = (draw_labels(random, shape).astype(np.uint64) & np.uint64(2**63 - 1) for _ in range(2))
    gaps = gap_table(shape, (5, 4, 3), {"0-0-0", "5-4-0", "0-4-3"}, (1.0, 1.0, 1.0)).iloc[:: random.randint(1, 5)]
    known = without_gaps(np.ones(shape, bool), gaps)
    found = overlaps_by_cuboid(first, second, draw_cut(random, shape), gaps)
    for own, whole in zip(found, overlaps(first[known], second[known])):
        np.testing.assert_array_equal(own, whole)
