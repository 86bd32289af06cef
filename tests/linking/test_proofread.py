"""The proofreader's queue, its states, and decisions read back."""

import json
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
import zarr

from spinome.io.volumes import write_volume
from spinome.linking.links import rank_links
from spinome.linking.proofread import (
    CANDIDATE_COLOURS,
    ORPHAN_COLOUR,
    apply_decisions,
    no_parent,
    parent_posterior,
    proofreading_queue,
    read_decisions,
    viewer_address,
    viewer_source,
    viewer_state,
)

LINKS = pd.DataFrame(
    [
        (10, 1, 1, 81 / 91, True),
        (10, 2, 2, 1 / 91, False),
        (11, 1, 1, 1 / 3, True),
        (11, 2, 2, 1 / 3, False),
        (12, 0, 0, 0.0, False),
    ],
    columns=["orphan", "shaft", "rank", "probability", "linked"],
)


def test_posterior_of_one_parent_or_none():
    posterior, none = parent_posterior(LINKS), no_parent(LINKS)
    assert posterior[2] == posterior[3] == pytest.approx(1 / 3) and none[11] == pytest.approx(1 / 3)
    assert none[12] == 1
    sums = pd.Series(posterior).groupby(LINKS["orphan"]).sum() + none
    assert sums.to_numpy() == pytest.approx([1, 1, 1])
    certain = LINKS.assign(probability=[1.0, 0.0, 1.0, 0.0, 0.0])
    assert no_parent(certain)[10] == 0


def test_what_a_forest_leaves_to_no_parent_is_what_the_queue_says():
    """Two candidates of 0.9 judged alone: of at most one parent, 9/19 each and 1/19 none."""
    candidates = pd.DataFrame({"orphan": 10, "shaft": [1, 2], "distance_nm": [5.0, 9.0]})
    links = rank_links(candidates, np.array([0.9, 0.9]), [10], 0.3)
    assert parent_posterior(links) == pytest.approx([9 / 19, 9 / 19])
    assert no_parent(links)[10] == pytest.approx(1 / 19)


def test_doubt_on_a_rich_shaft_comes_first():
    segments = pd.DataFrame({"segment": [10, 11, 12], "inside_z_nm": 1.0, "inside_y_nm": 2.0, "inside_x_nm": 3.0})
    synapses = pd.DataFrame({"neurite_a": [10, 11, 1, 1, 1, 2], "neurite_b": [50, 51, 52, 53, 54, 55]})
    queue = proofreading_queue(LINKS, segments, synapses)
    assert queue["orphan"].tolist() == [11, 10, 12]
    assert queue.loc[0, ["z_nm", "y_nm", "x_nm"]].tolist() == [1.0, 2.0, 3.0]
    assert queue["linked_to"].tolist() == [1, 1, 0]
    # shaft 1 has three synapses and one that orphan 10 brings; shaft 2 has one
    assert queue.loc[0, "worth"] == pytest.approx(4 / 3 + 1 / 3 + (1 - 2 / 3) * 4)
    assert queue.loc[2, "worth"] == 0 and queue.loc[2, "no_parent"] == 1


def test_a_state_shows_candidates_in_colours_of_their_rank():
    state = viewer_state("zarr://http://host/s.zarr", np.array([400.0, 80.0, 160.0]), 10, [7, 8], (40.0, 8.0, 8.0))
    (layer,) = state["layers"]
    assert state["position"] == [20, 10, 10] and layer["segments"] == ["10", "7", "8"]
    assert layer["segmentColors"]["10"] == ORPHAN_COLOUR
    assert [layer["segmentColors"][shaft] for shaft in ("7", "8")] == list(CANDIDATE_COLOURS[:2])
    assert list(state["dimensions"]) == ["x", "y", "z"] and state["dimensions"]["x"] == [pytest.approx(8e-9), "m"]
    address = viewer_address(state, "https://viewer.org/")
    assert address.startswith("https://viewer.org/#!") and json.loads(unquote(address.partition("#!")[2])) == state


def test_a_volume_that_begins_elsewhere_is_shown_there():
    """A precomputed volume may have an offset; the first voxel of an OME-Zarr of others lies around 0."""
    place = np.array([60.0, 12.0, 20.0])
    for corner in ((33, 22, 11), (-0.5, -0.5, -0.5)):
        state = viewer_state("s", place, 10, [], (40.0, 8.0, 8.0), corner)
        assert state["position"] == [2.5 + corner[2], 1.5 + corner[1], 1.5 + corner[0]]


def test_grey_values_lie_below_the_segments():
    state = viewer_state("zarr://s", np.zeros(3), 10, [], (1.0, 1.0, 1.0), image="zarr://image")
    assert [layer["type"] for layer in state["layers"]] == ["image", "segmentation"]
    assert state["layers"][0]["source"] == "zarr://image" and state["layers"][1]["selectedAlpha"] < 1


def test_more_candidates_than_colours_share_the_last():
    shafts = list(range(20, 20 + len(CANDIDATE_COLOURS) + 2))
    colours = viewer_state("s", np.zeros(3), 10, shafts, (1.0, 1.0, 1.0))["layers"][0]["segmentColors"]
    assert {colours[str(shaft)] for shaft in shafts[-3:]} == {CANDIDATE_COLOURS[-1]}


def test_what_the_viewer_is_sent_to_is_there(tmp_path):
    """The address of a volume, without that of the server, is the folder with its metadata."""
    labels = np.ones((2, 3, 4), np.uint32)
    write_volume(tmp_path / "results" / "a.zarr", labels, (1.0, 1.0, 1.0), name="raw")
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "info").write_text("{}")
    for source, kind, metadata in (
        (tmp_path / "results" / "a.zarr::raw", "zarr", "zarr.json"),
        (tmp_path / "cells::8_8_40", "precomputed", "info"),
    ):
        found = viewer_source(str(source), "http://h:1/", tmp_path)
        assert found.startswith(f"{kind}://http://h:1/")
        assert (tmp_path / found.removeprefix(f"{kind}://http://h:1/") / metadata).is_file()
    newer = zarr.open_group(str(tmp_path / "newer.zarr"), mode="w", zarr_format=3)
    newer.attrs["ome"] = {"version": "0.5", "multiscales": [{"datasets": [{"path": "0"}]}]}
    assert viewer_source(str(tmp_path / "newer.zarr"), "http://h:1", tmp_path) == "zarr://http://h:1/newer.zarr"
    address = viewer_source("precomputed://gs://bucket/cells::8_8_40", "http://h:1", tmp_path)
    assert address == "precomputed://gs://bucket/cells"


def test_volumes_without_a_view(tmp_path):
    zarr.save_array(str(tmp_path / "bare.zarr"), np.ones((2, 2, 2)))
    (tmp_path / "served").mkdir()
    for source in ("cells.h5::main", "stack.tif", "bare.zarr", "absent.zarr"):
        assert viewer_source(str(tmp_path / source), "http://h:1", tmp_path) is None
    write_volume(tmp_path / "a.zarr", np.ones((2, 2, 2), int), (1.0, 1.0, 1.0))
    assert viewer_source(str(tmp_path / "a.zarr"), "http://h:1", tmp_path / "served") is None


def test_no_decisions_change_nothing():
    none = pd.DataFrame(columns=["volume", "orphan", "shaft"])
    pd.testing.assert_frame_equal(apply_decisions(LINKS, none), LINKS)


def test_decisions_are_applied():
    decided = apply_decisions(LINKS, pd.DataFrame({"orphan": [11, 10], "shaft": [2, 0]}))
    linked = decided[decided["linked"]]
    assert linked[["orphan", "shaft", "rank", "probability"]].to_numpy().tolist() == [[11, 2, 1, 1.0]]
    assert decided.loc[decided["orphan"] == 11, "rank"].tolist() == [1, 2]
    assert (decided.loc[decided["orphan"] == 10, "probability"] == 0).all()
    assert decided.loc[decided["orphan"] == 12, "rank"].tolist() == [0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(10, 1), (10, 2)], "two shafts"),
        ([(99, 1)], "no orphan"),
        ([(10, 77)], "no candidate"),
    ],
)
def test_decisions_that_cannot_be(rows, message):
    with pytest.raises(ValueError, match=message):
        apply_decisions(LINKS, pd.DataFrame(rows, columns=["orphan", "shaft"]))


PLACES = pd.DataFrame({"segment": [10, 11, 12], "inside_z_nm": 1.0, "inside_y_nm": 2.0, "inside_x_nm": 3.0})
NO_SYNAPSES = pd.DataFrame({"neurite_a": [], "neurite_b": []}, dtype=np.int64)


def test_a_decision_that_confirms_a_link_decides_it_and_is_not_asked_for_again():
    decided = apply_decisions(LINKS, pd.DataFrame({"orphan": [10, 12], "shaft": [1, 0]}))
    assert decided.loc[decided["decided"], "orphan"].unique().tolist() == [10, 12]
    assert decided.set_index(["orphan", "shaft"])["probability"].to_dict() == {
        (10, 1): 1.0, (10, 2): 0.0, (11, 1): 1 / 3, (11, 2): 1 / 3, (12, 0): 0.0,
    }  # fmt: skip
    assert proofreading_queue(LINKS, PLACES, NO_SYNAPSES)["orphan"].tolist() == [11, 10, 12]
    assert proofreading_queue(decided, PLACES, NO_SYNAPSES)["orphan"].tolist() == [11]


def test_an_orphan_whose_candidates_failed_is_no_question_and_its_decision_waits():
    failed = pd.DataFrame({"orphan": [13], "shaft": 0, "rank": 0, "probability": np.nan, "linked": False})
    links = pd.concat([LINKS.assign(known=True), failed.assign(known=False)], ignore_index=True)
    places = pd.concat([PLACES, PLACES.head(1).assign(segment=13)], ignore_index=True)
    assert 13 not in proofreading_queue(links, places, NO_SYNAPSES)["orphan"].tolist()
    waiting = apply_decisions(links, pd.DataFrame({"orphan": [13, 10], "shaft": [1, 1]})).set_index("orphan")
    assert not waiting.loc[13, "known"] and not waiting.loc[13, "decided"] and waiting.loc[10, "decided"].all()
    none = apply_decisions(links, pd.DataFrame({"orphan": [13], "shaft": [0]})).set_index("orphan").loc[13]
    assert none["known"] and none["decided"] and none["probability"] == 0


def test_ids_of_64_bits_that_are_one_float_are_told_apart():
    big = 2**60
    links = LINKS.assign(
        orphan=LINKS["orphan"] + big, shaft=LINKS["shaft"].where(LINKS["shaft"] == 0, LINKS["shaft"] + big)
    )
    decided = apply_decisions(links, pd.DataFrame({"orphan": [big + 11], "shaft": [big + 2]}))
    assert decided.loc[decided["decided"], ["orphan", "shaft", "linked"]].to_numpy().tolist() == [
        [big + 11, big + 2, True],
        [big + 11, big + 1, False],
    ]
    queue = proofreading_queue(links, PLACES.assign(segment=PLACES["segment"] + big), NO_SYNAPSES)
    assert queue.set_index("orphan")["linked_to"].to_dict() == {big + 10: big + 1, big + 11: big + 1, big + 12: 0}


def test_decisions_are_read_by_the_names_of_volumes(tmp_path):
    path = tmp_path / "decisions.tsv"
    path.write_text(f"volume\torphan\tshaft\n1\t{2**60 + 1}\t0\n")
    assert read_decisions(path, ["1"]).to_numpy().tolist() == [["1", 2**60 + 1, 0]]
    with pytest.raises(ValueError, match=r"decisions\.tsv: names the volume 1, which is none of a, b"):
        read_decisions(path, ["a", "b"])
    path.write_text("volume\torphan\tshaft\n1\t5\t\n")
    with pytest.raises(ValueError, match=r"decisions\.tsv: a decision needs volume, orphan and shaft"):
        read_decisions(path, ["1"])
