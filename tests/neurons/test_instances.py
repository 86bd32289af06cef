import numpy as np
import pandas as pd
import pytest

from spinome.mesh.surface import Mesh, mesh_edges, vertex_areas
from spinome.neurons.instances import shaft_distance, spine_instances
from spinome.neurons.spines import PAIR_PLACES, read_decisions, spines_and_pairs


def bristle(lengths, spacing=5):
    """A flat square with square rods of these lengths, a grid step of 100 nm, and which rod (V,) a vertex is on."""
    side = 60
    y, x = np.mgrid[:side, :side]
    points = [np.stack([x, y, 0 * x], -1).reshape(-1, 3)]
    number = np.arange(side * side).reshape(side, side)
    quads = [(number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1])]
    keep = np.ones((side - 1, side - 1), bool)
    rod = [np.full(side * side, -1)]
    for index, length in enumerate(lengths):
        column = 20 + spacing * index
        ring = [(row, col) for row, col in ((28, column), (28, column + 1), (28, column + 2), (29, column + 2))]
        ring += [(30, column + 2), (30, column + 1), (30, column), (29, column)]
        keep[28:30, column : column + 2] = False
        below = number[tuple(np.array(ring).T)]
        for height in range(1, length + 1):
            level = sum(len(part) for part in points) + np.arange(8)
            points.append(np.array([[col, row, height] for row, col in ring]))
            rod.append(np.full(8, index))
            quads.append((below, np.roll(below, -1), np.roll(level, -1), level))
            below = level
        top = sum(len(part) for part in points)
        points.append(np.array([[column + 1, 29, length]]))
        rod.append(np.array([index]))
        quads.append((below, np.roll(below, -1), np.full(8, top), np.full(8, top)))
    faces = []
    for index, (a, b, c, d) in enumerate(quads):
        a, b, c, d = (q[keep].reshape(-1) if index == 0 else q.reshape(-1) for q in (a, b, c, d))
        faces += [np.stack([a, b, c], 1), np.stack([a, c, d], 1)]
    faces = np.concatenate(faces)
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    return Mesh(np.concatenate(points) * 100.0, faces), np.concatenate(rod)


def instances(mesh, on_spine, **options):
    area = vertex_areas(mesh.vertices, mesh.faces)
    edges = mesh_edges(mesh.faces)
    distance = shaft_distance(mesh.vertices, edges, on_spine, area)
    return spine_instances(edges, on_spine, distance, area, **options)


@pytest.mark.parametrize(("lengths", "count"), [((12, 9), 2), ((12, 5, 8), 3), ((12, 1), 1)])
def test_spines_that_share_a_base_are_told_apart_by_how_far_they_rise(lengths, count):
    mesh, rod = bristle(lengths)
    shared = (np.abs(mesh.vertices[:, :2] / 100 - [20 + 5 * (len(lengths) - 1) / 2 + 1, 29]) <= [9, 3]).all(axis=1)
    spine = instances(mesh, (rod >= 0) | shared)
    assert spine.max() + 1 == count
    tips = [spine[rod == index][-1] for index in range(len(lengths))]
    assert len(set(tips)) == count


def test_regions_are_connected_and_large_enough(mushroom, joined):
    mesh, part, *_ = mushroom
    two = joined(mesh, Mesh(mesh.vertices + np.array([5000, 0, 0]), mesh.faces))
    on_spine = np.tile(part == 1, 2)
    on_spine[:5] = True  # a fleck on the shaft
    spine = instances(two, on_spine)
    assert spine.max() == 1
    assert (spine[:5] == -1).all()
    assert set(spine[: len(mesh.vertices)][part == 1]) == {0}
    assert set(spine[len(mesh.vertices) :][part == 1]) == {1}


def test_the_order_of_the_vertices_does_not_matter():
    mesh, rod = bristle((12, 9))
    order = np.random.default_rng(0).permutation(len(rod))
    place = np.argsort(order)
    shuffled = Mesh(mesh.vertices[order], place[mesh.faces])
    on_spine = (rod >= 0) | (np.abs(mesh.vertices[:, :2] - [2350, 2900]) <= [900, 300]).all(axis=1)
    one, other = instances(mesh, on_spine), instances(shuffled, on_spine[order])[place]
    assert len(set(zip(one[rod >= 0], other[rod >= 0]))) == 2


def bristle_pairs(lengths, decisions=None, rise=300.0):
    mesh, rod = bristle(lengths)
    shared = (np.abs(mesh.vertices[:, :2] / 100 - [20 + 5 * (len(lengths) - 1) / 2 + 1, 29]) <= [9, 3]).all(axis=1)
    on_spine = (rod >= 0) | shared
    spine, table, pairs = spines_and_pairs(mesh, on_spine, on_spine * 1.0, 0.2, rise, decisions)
    return mesh, rod, spine, table, pairs


def test_two_peaks_near_the_border_are_a_doubtful_pair():
    mesh, rod, _, _, pairs = bristle_pairs((12, 5))
    (pair,) = pairs.to_dict("records")
    assert pair["spine"] != pair["next_spine"] and 300 <= pair["rise_nm"] <= 900
    ends = np.array([[pair[f"{prefix}{axis}_nm"] for axis in "xyz"] for prefix in ("", "next_")])
    tips = np.array([mesh.vertices[rod == index][-1] for index in (0, 1)])
    # they differ most in height, and the lower one is named first
    assert np.linalg.norm(ends - tips[::-1], axis=1).max() < 300
    # what rises high is no question, and what is one spine is named as such
    assert bristle_pairs((40, 40))[4].empty
    one = bristle_pairs((12, 5), rise=800.0)[4]
    assert len(one) == 1 and (one["spine"] == one["next_spine"]).all()


@pytest.mark.parametrize("decision", [["one", "two"], ["two", "one"]])
def test_a_person_joins_two_spines_and_parts_one(decision):
    mesh, rod, _, table, pairs = bristle_pairs((12, 5, 9))
    tips = np.array([mesh.vertices[rod == index][-1] for index in range(3)])
    assert len(table) == 3 and len(pairs) == 2
    ends = pairs[PAIR_PLACES].to_numpy().reshape(2, 2, 3)[:, :, ::-1]
    rods = np.linalg.norm(ends[:, :, None] - tips, axis=3).argmin(axis=2)
    # the pair is found again some way off
    spine, table = bristle_pairs((12, 5, 9), pairs.iloc[:1].assign(decision="one", x_nm=pairs["x_nm"] + 50))[2:4]
    found = np.array([int(spine[rod == index][-1]) for index in range(3)])
    assert len(table) == 2 and found[rods[0, 0]] == found[rods[0, 1]]
    assert len(set(found)) == 2 and sorted(set(spine[spine >= 0])) == [0, 1]
    # a run that has all as one parts one pair, and leaves the other together
    spine, table = bristle_pairs((12, 5, 9), pairs.assign(decision=decision), rise=5000.0)[2:4]
    found = np.array([int(spine[rod == index][-1]) for index in range(3)])
    assert len(table) == 2
    assert [found[one] == found[other] for one, other in rods] == [said == "one" for said in decision]
    # what lies on no spine says nothing
    gone = pairs.assign(decision="one", next_x_nm=1e6)
    assert len(bristle_pairs((12, 5, 9), gone)[3]) == 3


def test_decisions_that_name_no_neuron_or_no_place_are_told(tmp_path):
    row = {"neuron": "n", **dict.fromkeys(PAIR_PLACES, 1.0), "decision": "one"}
    good = tmp_path / "good.tsv"
    pd.DataFrame([row]).to_csv(good, sep="\t", index=False)
    assert read_decisions(good, ["n"])["decision"].tolist() == ["one"]
    # a name that is a number stays as it is written
    pd.DataFrame([row | {"neuron": "007"}]).to_csv(good, sep="\t", index=False)
    assert read_decisions(good, ["007"])["neuron"].tolist() == ["007"]
    for change, said in (
        ({"neuron": "m"}, "the neuron m"),
        ({"z_nm": None}, "row 1 lacks"),
        ({"decision": "x"}, "'x'"),
    ):
        bad = tmp_path / "bad.tsv"
        pd.DataFrame([row | change]).to_csv(bad, sep="\t", index=False)
        with pytest.raises(ValueError, match=said):
            read_decisions(bad, ["n"])
