"""Figures of the linking branch show what they are given, the same each time."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spinome.gaps import gap_table
from spinome.io.volumes import Volume
from spinome.report.linking import (
    Linked,
    disputed,
    draw_dendrites,
    draw_results,
    draw_scores,
    draw_segments,
    draw_volumes,
    label_colours,
    outlines,
)


@pytest.fixture
def links():
    return pd.DataFrame(
        {
            "volume": "v",
            "orphan": [10, 10, 11],
            "shaft": [1, 2, 0],
            "rank": [1, 2, 0],
            "probability": [0.9, 0.2, 0.0],
            "linked": [True, False, False],
        }
    )


@pytest.fixture
def labels():
    labels = np.zeros((6, 40, 40), int)
    labels[2:4, 5:12], labels[2:4, 30:36] = 1, 2
    labels[1, 14:20, 18:24], labels[1, 24:27, 4:8] = 10, 11
    return labels


def test_colours_belong_to_labels():
    first, second = label_colours(np.array([[0, 5, 7]])), label_colours(np.array([[7, 5, 9]]))
    assert (first[0, 0] == 0).all()
    np.testing.assert_array_equal(first[0, 1], second[0, 1])
    assert not np.array_equal(first[0, 1], first[0, 2])


def test_outlines_lie_between_labels():
    assert outlines(np.array([[1, 1, 1, 2, 2, 2]] * 3))[1].tolist() == [False, False, True, True, False, False]


def test_an_orphan_has_the_colour_of_its_link(labels, links):
    bridges = pd.DataFrame([[10, 1, 45.0, 290.0, 410.0, 75.0, 230.0, 410.0]], columns=[
        "orphan", "shaft", "from_z_nm", "from_y_nm", "from_x_nm", "to_z_nm", "to_y_nm", "to_x_nm"])  # fmt: skip
    figure = draw_dendrites(labels, np.array([1, 2]), links, bridges, (30.0, 20.0, 20.0))
    picture = figure.axes[0].images[0].get_array()
    red, green, blue = picture[17, 21]
    assert red > 1.5 * green and red > 1.5 * blue
    loose = picture[25, 6]
    assert np.ptp(loose) < 0.1 and (picture[22, 30] == 1).all()
    assert len(figure.axes[0].lines) >= 2


def test_panels_without_data_are_left_out(labels, links):
    truth = pd.DataFrame({"volume": ["v"], "orphan": [10], "shaft": [1]})
    table = pd.DataFrame({"threshold": [0, 1.0], "vi_split": [2.0, 0.0], "vi_merge": [0.0, 2.0]})
    assert len(draw_scores(links, truth, {"v": table}, 0.5, 0.3).axes) == 3
    assert len(draw_scores(links, truth.iloc[:0], {"v": table}, 0.5, 0.3).axes) == 1
    assert len(draw_scores(links, truth, {}, 0.5, 0.3).axes) == 2


def test_segments_are_drawn_beside_the_image(labels):
    image = np.random.default_rng(0).integers(0, 255, (40, 40))
    figure = draw_segments(image, {"superpixels": labels[2], "segments": labels[3]}, labels[2], (30.0, 20.0, 20.0))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["grey values", "superpixels", "segments"]


def opened(array, name):
    return Volume(array, (30.0, 20.0, 20.0), name)


@pytest.fixture
def linked(labels, links):
    kinds = {1: "shaft", 2: "shaft", 10: "orphan", 11: "orphan"}
    centres = {label: np.argwhere(labels == label).mean(axis=0) * (30, 20, 20) for label in kinds}
    rows = [[label, kind, *centres[label]] for label, kind in kinds.items()]
    typing = pd.DataFrame(rows, columns=["segment", "kind", "z_nm", "y_nm", "x_nm"])
    ends = [f"{end}_{axis}_nm" for end in ("from", "to") for axis in "zyx"]
    bridges = pd.DataFrame([[10, 1, 45.0, 290.0, 410.0, 75.0, 230.0, 410.0]], columns=["orphan", "shaft", *ends])
    image = np.random.default_rng(0).integers(0, 255, labels.shape)
    truth = pd.DataFrame({"orphan": [10], "shaft": [2]})
    return Linked(
        opened(labels, "s"),
        typing,
        links,
        bridges,
        image=opened(image, "i"),
        superpixels=opened(labels, "p"),
        gaps=gap_table(labels.shape, (6, 40, 20), {"0-0-0", "0-0-20"}, (30.0, 20.0, 20.0)),
        true_segments=opened(labels, "t"),
        truth=truth,
    )


def entries(folder):
    """Captions by name of the figures in a folder."""
    index = folder / "figures.json"
    return {entry["name"]: entry["caption"] for entry in json.loads(index.read_text())} if index.exists() else {}


def test_a_volume_is_drawn_with_what_it_has(linked, tmp_path):
    draw_volumes(tmp_path / "whole", [("v", linked)], 25.0)
    whole = entries(tmp_path / "whole")
    assert list(whole) == ["segments_v", "dendrites_v", "candidates_v"]
    assert "true neurites" in whole["segments_v"] and "true shaft is outlined" in whole["candidates_v"]
    draw_volumes(tmp_path / "shapes", [("v", replace(linked, image=None))], 25.0)
    assert list(entries(tmp_path / "shapes")) == ["dendrites_v"]
    unlinked = replace(linked, links=linked.links.assign(linked=False), truth=None, true_segments=None)
    draw_volumes(tmp_path / "unlinked", [("v", unlinked)], 25.0)
    captions = entries(tmp_path / "unlinked")
    assert list(captions) == ["segments_v", "candidates_v"]
    assert "true" not in " ".join(captions.values())


def test_what_is_not_known_of_a_volume_is_told(linked, tmp_path):
    draw_volumes(tmp_path / "known", [("v", linked)], 25.0)
    assert "not known" not in " ".join(entries(tmp_path / "known").values())
    gaps = gap_table(linked.segments.shape, (6, 40, 20), {"0-0-0"}, linked.segments.voxel_nm)
    links = linked.links.assign(known=linked.links["orphan"] != 11)
    draw_volumes(tmp_path / "gaps", [("v", replace(linked, gaps=gaps, links=links))], 25.0)
    captions = entries(tmp_path / "gaps")
    assert captions["segments_v"].endswith("1 cuboid failed: nothing is known of them (hatched).")
    assert captions["dendrites_v"].endswith("Of blue orphans it is not known whether they have a parent.")


def test_a_window_at_the_edge_asks_for_no_voxel_beyond_it(linked):
    class Server(np.ndarray):
        def __getitem__(self, box):
            assert all(side.stop <= length for side, length in zip(box[1:], self.shape[1:]))
            return np.asarray(self)[box]

    arrays = {name: getattr(linked, name).array.view(Server) for name in ("segments", "image")}
    assert disputed(replace(linked, **{name: opened(array, name) for name, array in arrays.items()}))


def test_the_most_disputed_orphans_have_the_likeliest_second_candidate(linked):
    second = pd.DataFrame({"orphan": [11, 11], "shaft": [2, 1], "rank": [1, 2], "probability": [0.6, 0.5]})
    both = replace(linked, links=pd.concat([linked.links[linked.links["rank"] > 0], second]))
    assert [rows["orphan"].iloc[0] for _, _, rows, _ in disputed(both)] == [11, 10]
    assert [known for *_, known in disputed(both)] == [None, 2]
    (image, labels, rows, known), *others = disputed(replace(linked, links=linked.links[linked.links["rank"] != 2]))
    assert not others and (known, rows["orphan"].tolist()) == (2, [10])
    # the slice of its centre, as far as the window reaches
    assert image.shape == labels.shape == (40, 40) and 10 in labels


def test_results_are_drawn_as_far_as_the_truth_is_known(links, tmp_path):
    truth = {"v": pd.DataFrame({"orphan": [10], "shaft": [1]})}
    draw_results(tmp_path / "known", links, truth, {}, (0.5, 0.3), None)
    assert list(entries(tmp_path / "known")) == ["scores"]
    failed = links[links["rank"] == 0].assign(known=False)
    draw_results(tmp_path / "failed", failed, {"v": truth["v"].assign(orphan=11)}, {}, (0.5, 0.3), None)
    assert entries(tmp_path / "failed") == {}
    draw_results(tmp_path / "unknown", links, {}, {}, (0.5, 0.3), None)
    assert entries(tmp_path / "unknown") == {}
