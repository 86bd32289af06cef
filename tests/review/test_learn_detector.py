"""What the detector learns from answers: of a small made stack, what was answered and what was sure before."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from spinome.io.models import Model
from spinome.review import learn_detector
from spinome.review.learn_detector import (
    MOST_STACKS,
    REMEMBERED,
    SURE,
    Source,
    draw_crop,
    most_answered,
    relearn,
    teacher_of,
)
from spinome.twophoton import augment, train
from spinome.twophoton.augment import FADE_UM
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.detector import HEAT_STRIDE, Detector
from spinome.twophoton.judge import FEATURES, train_judge
from spinome.twophoton.registered import RegisteredStack

VOXEL_UM, SHAPE = (1.0, 0.12, 0.12), (16, 96, 200)
DEPTH = [0.0] * (len(ESTIMATES) + 1)
ROW = {"specimen": "m", "field": "f", "timepoint": "0", "series": "m.f"}


@pytest.fixture(scope="module")
def stack():
    voxels = np.random.default_rng(0).gamma(1, 20, SHAPE).astype(np.float32)
    voxels[:, 46:52] += 300
    return RegisteredStack(voxels, VOXEL_UM)


def boxes(**candidates):
    """Three boxes of each candidate in the slices 7 to 9, at 6 um and this place along x with this score."""
    rows = [
        {"slice": z, "score": score, "y_um": 6.0, "x_um": x, "side_um": 1.2, "candidate": int(name[1:])}
        for name, (x, score) in candidates.items()
        for z in (7, 8, 9)
    ]
    return pd.DataFrame(rows)


def place(x_um):
    """The pixel in which a box of the detector is learned from."""
    return round(x_um / 0.12, 3)


def told(*rows):
    names = ["candidate", "x_um", "head_um", "spine"]
    return pd.DataFrame(rows, columns=names).assign(unit="m.f.0", y_um=6.0, z_um=8.0)


def test_answers_are_boxes_and_background_and_the_rest_counts_little_or_not_at_all(stack):
    found = boxes(c1=(3.0, 0.4), c2=(8.0, 0.9), c3=(13.0, 0.9), c4=(18.0, 0.2))
    found.loc[len(found)] = [8, 0.9, 6.0, 22.0, 1.2, -1]
    said = told((1, 3.0, 8.0, True), (2, 8.0, 8.0, False), (-1, 23.0, 4.0, True))
    teacher = teacher_of(stack, found, said)
    assert teacher.stack.shape == SHAPE and teacher.step_um == 1.0
    frame = pd.DataFrame(teacher.boxes, columns=["slice", "y", "x", "side", "shown"]).round(3)
    # a spine is where the detector has it, as visible as its depth says; a mark has the size of others
    fades = np.exp(-0.5 / FADE_UM**2).round(3)
    own = frame[frame["x"] == place(3.0)]
    assert own["slice"].tolist() == [7, 8, 9] and own["shown"].tolist() == [fades, 1.0, fades]
    mark = frame[frame["x"] == round(23.0 / 0.12, 3)]
    assert mark["slice"].tolist() == [3, 4, 5] and (mark["side"] == 10.0).all()
    # what was sure before is taught as it was, and what is none is no box
    assert frame.loc[frame["x"] == place(13.0), "shown"].tolist() == [0.9] * 3
    assert len(frame) == 9
    marks = pd.DataFrame(teacher.marks, columns=["slice", "y", "x", "weight"]).round(3)
    places = {x: place(x) for x in (3, 8, 13, 18, 22)} | {23: round(23 / 0.12, 3)}
    weights = {x: marks.loc[marks["x"] == column, "weight"].unique().tolist() for x, column in places.items()}
    assert weights == {3: [1.0], 8: [1.0], 13: [REMEMBERED], 18: [0.0], 22: [0.0], 23: [1.0]}
    assert len(teacher.spines) == 6 and len(teacher.others) == 3


def test_a_head_seen_elsewhere_says_nothing_of_slices_in_which_its_boxes_lie(stack):
    teacher = teacher_of(stack, boxes(c1=(3.0, 0.4)), told((1, 3.0, 11.0, True)))
    assert teacher.boxes[:, 0].tolist() == [10, 11, 12]
    weight = dict(zip(teacher.marks[:, 0], teacher.marks[:, 3]))
    assert weight == {7: 0.0, 8: 0.0, 9: 0.0, 10: 1.0, 11: 1.0, 12: 1.0}


def test_crops_count_where_people_said_something(stack):
    found = boxes(c1=(6.0, 0.4), c2=(18.0, SURE - 0.1))
    teacher = teacher_of(stack, found, told((1, 6.0, 8.0, True)))
    only = [SimpleNamespace(**vars(teacher) | {"others": teacher.spines})]
    for seed in range(3):
        image, target, weight = draw_crop(only, np.random.default_rng(seed))
        assert image.shape == (3, 256, 256) and target.shape == (1, 4)
        column, row = (target[0, :2] / HEAT_STRIDE).astype(int)
        assert weight[row, column] == 1.0
        assert set(np.unique(weight)) == {np.float32(0.0), np.float32(REMEMBERED), np.float32(1.0)}


def test_stacks_in_which_most_was_answered_come_first():
    sources = [Source(str(number), ROW, lambda: None, pd.DataFrame()) for number in range(MOST_STACKS + 3)]
    places = pd.DataFrame({"unit": [str(number) for number in range(1, MOST_STACKS + 3) for _ in range(number)]})
    kept = [source.name for source in most_answered(sources, places)]
    assert kept == [str(number) for number in range(3, MOST_STACKS + 3)]


@pytest.mark.slow
def test_a_detector_that_was_killed_learns_the_same_and_looks_around_places(stack, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 1)
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 1)
    monkeypatch.setattr(augment, "CROP", 64)
    monkeypatch.setattr(learn_detector, "CROP", 64)
    monkeypatch.setattr(learn_detector, "STEPS", 3)
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, len(FEATURES))), np.arange(60) % 2 == 0
    judge, threshold, _ = train_judge(features, labels, np.arange(60) // 6, 30)
    old = Model(judge, FEATURES, {"depth": DEPTH, "threshold": threshold})
    torch.manual_seed(0)
    start = Detector().eval()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    source = Source("m.f.0", ROW, lambda: stack, boxes(c1=(6.0, 0.4), c2=(18.0, 0.9)))
    said = told((1, 6.0, 8.0, True), (2, 18.0, 8.0, False))
    asked = start, [source], old, DEPTH
    assert relearn(*asked, said[:1], said, 0) is None
    straight, found, looked = relearn(*asked, said, said, 0)
    assert looked == ["m.f.0"] and set(found.table["timepoint"]) <= {"0"}
    assert len(found.table) == len(found.features) == len(found.groups)

    class Killed(Exception):
        pass

    losses = []

    def killed(*given):
        losses.append(given)
        if len(losses) > 2:
            raise Killed
        return real(*given)

    real = train.set_loss
    with monkeypatch.context() as context, pytest.raises(Killed):
        context.setattr(train, "set_loss", killed)
        relearn(*asked, said, said, 0, tmp_path)
    resumed, _, _ = relearn(*asked, said, said, 0, tmp_path)
    for name, value in straight.state_dict().items():
        torch.testing.assert_close(value, resumed.state_dict()[name])
        torch.testing.assert_close(before[name], start.state_dict()[name])
    # other answers begin anew
    relearn(*asked, said.assign(head_um=9.0), said, 0, tmp_path)
    assert len(list(tmp_path.glob("*.pt"))) == 2
