"""What the synapse network learns from answers: of a small made volume, what was answered and nothing else."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.review.extent import read_extent
from spinome.review.learn_network import MOST_CUBOIDS, Source, most_answered, relearn, teachers_of, under_brush
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey
from spinome.synapses.network import fit
from spinome.synapses.network.augment import draw_crop
from spinome.synapses.network.unet import CELL, Network, UNet
from spinome.synapses.objects.merge import Rules, merge_candidates
from spinome.synapses.objects.patches import find_parts
from spinome.synapses.training.train import FEW_SHARE, FEW_THRESHOLD

VOXEL_NM, SHAPE = (40.0, 8.0, 8.0), (8, 192, 192)
NOTHING = pd.DataFrame({"unit": [], "extent": [], "answer_id": []})
RULES = {"connectivity": 18, **vars(Rules())}
# corners of blocks that were found, and the edge of each
CORNERS, EDGE = [(2, 16, 16), (2, 16, 116), (2, 116, 16), (2, 116, 116)], (4, 32, 32)


def block(corner):
    return tuple(slice(low, low + length) for low, length in zip(corner, EDGE))


@pytest.fixture
def source():
    rng = np.random.default_rng(0)
    image = rng.normal(140, 20, SHAPE).clip(0, 255).astype(np.uint8)
    found = np.zeros(SHAPE, np.float32)
    for corner in CORNERS:
        found[block(corner)] = 0.6
    evidence = Evidence(Volume(image, VOXEL_NM, "v"), measure_grey(Volume(image, VOXEL_NM, "v")))
    pieces = list(cuboids(SHAPE, (8, 96, 192)))
    parts = [
        find_parts((found[p.core] > 0.5).astype(np.uint8), found[p.core], p.start, SHAPE, evidence) for p in pieces
    ]
    candidates, ids = merge_candidates(parts, SHAPE, VOXEL_NM, measured=True)
    every = Source("v", evidence, 0, pieces, parts, ids, RULES)
    return SimpleNamespace(candidates=candidates.assign(volume="v"), all=every)


def stroke(z_um, y_um, x_um, radius_um=0.04):
    return {"z_um": z_um, "radius_um": radius_um, "way_um": [[y_um, x_um], [y_um, x_um + 0.2]]}


def painting(*strokes):
    return pd.DataFrame({"unit": ["v"], "extent": [json.dumps(strokes)], "answer_id": ["a"]})


def test_what_was_answered_is_known_and_nothing_else(source):
    network = Network(UNet(), {"pixel_nm": 8.0})
    (top,) = teachers_of(source.all, {0: True, 1: False}, NOTHING, network)
    assert top.image.shape == (8, 96, 192) and len(top.objects) == len(top.refused) == 1
    known = np.zeros(top.image.shape, bool)
    for corner in CORNERS[:2]:
        # with a rim of one cell within the section, so that the cells at the border count
        z, y, x = block(corner)
        known[z, y.start - CELL : y.stop + CELL, x.start - CELL : x.stop + CELL] = True
    assert (top.known.astype(bool) == known).all()
    assert top.truth[block(CORNERS[0])].all() and top.truth.sum() == np.prod(EDGE)
    # of what nobody was asked about nothing is known, however close it lies
    (alone,) = teachers_of(source.all, {1: False}, NOTHING, network)
    assert not alone.objects and not alone.truth.any() and not alone.known[block(CORNERS[0])].any()
    both = teachers_of(source.all, {0: True, 3: False}, NOTHING, network)
    assert [len(one.objects) for one in both] == [1, 0]


def test_a_painted_extent_is_a_mask_in_its_sections(source):
    painted = painting(stroke(0.18, 1.2, 0.2), stroke(0.22, 1.2, 0.2))
    second = source.all.cuboids[1]
    under = under_brush(read_extent(painted["extent"].iloc[0]), second, VOXEL_NM)
    assert under.any(axis=(1, 2)).tolist() == [False, False, False, False, True, True, False, False]
    assert 10 * 25 <= under[4].sum() <= 10 * 40
    _, rows, columns = np.nonzero(under)
    assert (rows + 96).min() == pytest.approx(1160 / 8, abs=1) and columns.max() == pytest.approx(440 / 8, abs=1)
    network = Network(UNet(), {"pixel_nm": 8.0})
    (one,) = teachers_of(source.all, {3: False}, painted, network)
    # what lies under the brush is a synapse, around it nobody knows
    assert (one.truth[under] == 1).all() and one.truth.sum() == under.sum() and one.known[under].all()
    assert one.known.sum() == under.sum() + 4 * (32 + 2 * CELL) ** 2


def test_crops_show_what_was_answered():
    rng = np.random.default_rng(0)
    network = Network(UNet(), {"pixel_nm": 8.0})
    assert network.factors(VOXEL_NM) == (1, 1)
    image = np.zeros((20, 400, 400), np.float32)
    found = np.zeros(image.shape, np.float32)
    found[4:8, 40:80, 40:80] = found[12:16, 300:340, 300:340] = 0.6
    volume = Volume((image + 128).astype(np.uint8), VOXEL_NM, "v")
    evidence = Evidence(volume, measure_grey(Volume(rng.integers(0, 255, image.shape).astype(np.uint8), VOXEL_NM, "g")))
    (piece,) = cuboids(image.shape, image.shape)
    parts = find_parts((found > 0.5).astype(np.uint8), found, (0, 0, 0), image.shape, evidence)
    _, ids = merge_candidates([parts], image.shape, VOXEL_NM)
    source = Source("v", evidence, 0, [piece], [parts], ids, RULES)
    (teacher,) = teachers_of(source, {0: True, 1: False}, NOTHING, network)
    crops = [draw_crop(teacher, rng) for _ in range(40)]
    seen = [(float(truth.sum()) > 0, float(weight.sum()) > 0) for _, truth, weight in crops]
    # about half of them a synapse, the others what was said to be none; hardly one shows neither
    assert 10 <= sum(yes for yes, _ in seen) <= 30 and sum(weight for _, weight in seen) >= 36


def test_a_network_that_learned_operates_as_one_of_few_labels(source, monkeypatch):
    told = {}

    def remember(teachers, steps, seed, start, checkpoint):
        told.update(teachers=teachers, steps=steps, seed=seed)
        return start

    monkeypatch.setattr("spinome.review.learn_network.fit_network", remember)
    net = UNet().eval()
    net.head.bias.data += 20
    card = {"pixel_nm": 8.0, "threshold": 0.2, "min_peak": 0.95, "judge": {}, "kind": "network", "most moved": 0.1}
    start = Network(net, card)
    rows, true = np.array([0, 3]), np.array([True, False])
    network, found, looked = relearn(start, [source.all], source.candidates, rows, true, NOTHING, 7)
    assert told["seed"] == 7 and len(told["teachers"]) == 2
    size = np.prod(EDGE) * np.prod(VOXEL_NM) / 1e9
    assert network.card["min_volume_um3"] == pytest.approx(FEW_SHARE * size)
    assert network.card["threshold"] == FEW_THRESHOLD and network.card["min_peak"] == 0
    # what was measured of the network of before is said of that one
    assert set(network.card) == {"kind", "pixel_nm", "threshold", "min_peak", "min_volume_um3", "taught_by"}
    assert network.card["taught_by"] == card
    # it finds all in one
    assert found["synapse"].tolist() == [1] and found["voxels"].tolist() == [np.prod(SHAPE)]
    assert found["volume"].tolist() == ["v"] and found["section_um"].tolist() == [0.04]
    assert looked.tolist() == [True] * 4
    part = replace(source.all, cuboids=source.all.cuboids[1:], parts=source.all.parts[1:], ids=source.all.ids[1:])
    lower = np.array([2, 3])
    assert relearn(start, [part], source.candidates, lower, true, NOTHING, 7)[2].tolist() == [False, False, True, True]
    assert relearn(start, [source.all], source.candidates, rows, np.array([True, True]), NOTHING, 7) is None
    assert relearn(start, [source.all], source.candidates, rows, np.array([False, False]), NOTHING, 7) is None
    # a synapse that was missed and painted is one
    painted = painting(stroke(0.18, 0.6, 0.6))
    assert relearn(start, [source.all], source.candidates, rows[:1], np.array([False]), painted, 7) is not None


def test_learning_that_was_killed_goes_on(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("spinome.review.learn_network.FEW_STEPS", 3)
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 1)
    card = {"pixel_nm": 8.0, "threshold": 0.2, "min_peak": 0.95, "kind": "network"}
    start, rows, true = Network(UNet().eval(), card), np.array([0, 3]), np.array([True, False])

    def learned(store, true=true):
        return relearn(start, [source.all], source.candidates, rows, true, NOTHING, 7, store)[0].net.state_dict()

    straight, steps, loss_of = learned(None), iter([1, 2]), fit.loss_of

    def killed(*given):
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return loss_of(*given)

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(fit, "loss_of", killed)
        learned(tmp_path)
    capsys.readouterr()
    resumed = learned(tmp_path)
    assert "resumed after 2 steps" in capsys.readouterr().out
    assert all(torch.equal(value, resumed[name]) for name, value in straight.items())
    # other answers are another lesson
    learned(tmp_path, ~true)
    assert "resumed" not in capsys.readouterr().out and len(list(tmp_path.iterdir())) == 2


def test_cuboids_are_learned_from_in_which_most_was_answered(source, monkeypatch):
    places = [(0.2, 0.2, 0.2), (0.2, 0.9, 0.2), (0.2, 1.0, 0.2)]
    answers = pd.DataFrame(places, columns=["z_um", "y_um", "x_um"]).assign(unit="v")
    (both,) = most_answered([source.all], answers)
    assert len(both.cuboids) == 2 <= MOST_CUBOIDS and both.rows.tolist() == [0, 1, 2, 3] and both.answers == 3
    monkeypatch.setattr("spinome.review.learn_network.MOST_CUBOIDS", 1)
    (one,) = most_answered([source.all], answers)
    assert [cuboid.name for cuboid in one.cuboids] == ["0-96-0"] and one.rows.tolist() == [2, 3] and one.answers == 2
    (none,) = most_answered([source.all], answers.assign(unit="w"))
    assert not none.cuboids and not len(none.rows) and not none.answers
