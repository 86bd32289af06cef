import numpy as np
import pandas as pd
import pytest
import torch

from spinome.twophoton import train
from spinome.twophoton.detector import CROP, Detector
from spinome.twophoton.train import (
    View,
    assign,
    augmented_crop,
    field_view,
    fit,
    heat_target,
    hold_out,
    read_fields,
    set_loss,
    stack_view,
)


@pytest.fixture(scope="module")
def view():
    """A stack of bright spots."""
    rng = np.random.default_rng(0)
    place = np.column_stack([np.full(30, 2.0), rng.uniform(20, 260, (30, 2))])
    y, x = np.ogrid[:280, :280]
    plane = sum(np.exp(-((y - row) ** 2 + (x - column) ** 2) / 12) for _, row, column in place)
    fade = np.exp(-0.5 * ((np.arange(5) - 2) / 0.8) ** 2)
    stack = (fade[:, None, None] * plane).astype(np.float32)
    return View(stack, np.column_stack([place, np.full(30, 9.0)]), 1.0)


def test_augmented_boxes_lie_on_what_they_name(view):
    bright, anywhere = [], []
    for seed in range(10):
        image, spines = augmented_crop(view, np.random.default_rng(seed))
        assert image.shape == (3, CROP, CROP) and image.dtype == np.float32
        inner = spines[(spines[:, :2] > 2).all(1) & (spines[:, :2] < CROP - 2).all(1) & (spines[:, 3] > 0.9)]
        bright += [image[1, int(y), int(x)] for x, y, *_ in inner]
        anywhere.append(np.median(image[1]))
    assert len(bright) > 10
    assert np.median(bright) > 5 * max(np.median(anywhere), 0.05)


def test_spines_out_of_focus_are_no_targets(view):
    shifted = View(view.stack, view.spines + np.array([50, 0, 0, 0]), 1.0)
    _, spines = augmented_crop(shifted, np.random.default_rng(0))
    assert len(spines) == 0


def test_small_field_views_are_mirrored_with_their_boxes():
    image = np.zeros((40, 60), np.float32)
    image[10:14, 20:24] = 100
    boxes = np.array([[20.0, 10, 24, 14]])
    out = field_view(image, boxes, 0.12)
    assert out.stack.shape == (1, 80, 120) and len(out.spines) == 4
    for _, y, x, side in out.spines:
        assert out.stack[0, round(y), round(x)] > 0.5
        assert side == pytest.approx(4)


def test_each_spine_is_answered_by_one_query():
    boxes = torch.tensor([[10.0, 10, 0], [10.5, 10, 0], [80, 80, 0]])
    target = np.array([[10.0, 10, 10, 1], [200, 200, 10, 1]], np.float32)
    rows, columns = assign(boxes, torch.tensor([0.0, 3.0, 0.0]), target)
    assert rows.tolist() == [1] and columns.tolist() == [0]
    assert len(assign(boxes, torch.zeros(3), target[:0])[0]) == 0


def test_the_loss_falls_toward_the_truth():
    target = np.array([[32.0, 32, 10, 1]], np.float32)

    def loss(x, logit):
        heat = torch.logit(torch.from_numpy(heat_target(target, (32, 32))).clamp(0.01, 0.99))[None]
        stage = (torch.tensor([[[x, 32.0, 0.0]]]), torch.tensor([[logit]]))
        return float(set_loss({"heat": heat, "size": torch.zeros(1, 32, 32), "stages": [stage]}, [target]))

    assert loss(32.0, 3.0) < loss(35.0, 3.0) < loss(35.0, -3.0)


def test_training_resumes_where_it_stopped(tmp_path, view, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 1)
    monkeypatch.setattr(train, "CHECKPOINT_EVERY", 2)
    monkeypatch.setattr(train, "CROP", 64)
    monkeypatch.setattr(train, "WATCHED", 2)
    straight, history = fit([view], [view], 3, tmp_path / "a.pt", "key", report_every=1)
    assert list(history["step"]) == [1, 2, 3]

    class Killed(Exception):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as context, pytest.raises(Killed):
        context.setattr(train, "_watch", killed)
        fit([view], [view], 3, tmp_path / "b.pt", "key", report_every=1)
    resumed, again = fit([view], [view], 3, tmp_path / "b.pt", "key", report_every=1)
    assert list(again["step"]) == [1, 2, 3]
    for one, other in zip(straight.state_dict().values(), resumed.state_dict().values()):
        torch.testing.assert_close(one, other)


def test_a_few_steps_lower_the_loss(view):
    torch.manual_seed(0)
    model = Detector()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    image, target = augmented_crop(view, rng)
    batch = torch.from_numpy(image[None])
    losses = []
    for _ in range(8):
        loss = set_loss(model(batch), [target])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_the_last_stacks_and_blocks_of_field_views_are_held_out(view):
    flat = [View(view.stack[:1], view.spines, 1.0) for _ in range(70)]
    training, held_out = hold_out([view] * 10 + flat)
    assert [len(one.stack) for one in held_out] == [5] + [1] * 20
    assert len(training) == 9 + 50
    # the third of fourteen blocks of five is the first that is held out
    assert [number for number, one in enumerate(flat) if any(one is own for own in held_out)][:6] == [
        10,
        11,
        12,
        13,
        14,
        25,
    ]
    assert hold_out(flat[:1]) == (flat[:1], flat[:1])
    with pytest.raises(ValueError, match="nothing to train"):
        hold_out([])


def test_fields_are_read_from_their_folder(tmp_path):
    import imageio.v3 as imageio

    (tmp_path / "images").mkdir()
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), np.uint8)
    for name, image in zip("ba", images):
        imageio.imwrite(tmp_path / "images" / f"{name}.png", image)
    boxes = [["b.png", 1, 2, 3, 4], *(["a.png", x, 10, x + 12, 22] for x in (5, 20, 40))]
    columns = ["image", "x_min_px", "y_min_px", "x_max_px", "y_max_px"]
    pd.DataFrame(boxes, columns=columns).to_csv(tmp_path / "boxes.csv", index=False)
    first, second = read_fields(tmp_path)
    np.testing.assert_allclose(first[0], images[1].mean(axis=2), rtol=1e-5)
    assert first[1].tolist() == [[x, 10, x + 12, 22] for x in (5, 20, 40)] and second[1].tolist() == [[1, 2, 3, 4]]


def test_what_lies_far_from_the_traced_dendrites_becomes_dark():
    stack = np.random.default_rng(0).gamma(1, 20, (20, 100, 90))
    truth = pd.DataFrame({"z_um": [10.0], "y_um": [6.0], "x_um": [5.0], "diameter_um": [np.nan]})
    dendrites = pd.DataFrame({"z_um": 10.0, "y_um": 6.0, "x_um": np.arange(0, 10.7, 0.1)})
    voxel = (1.0, 0.12, 0.12)
    whole, near = stack_view(stack, voxel, truth).stack, stack_view(stack, voxel, truth, dendrites).stack
    np.testing.assert_allclose(near[8:12, 35:65], whole[8:12, 35:65], rtol=1e-3, atol=1e-4)
    assert not near[:, :10].any() and not near[:3].any()


def test_training_goes_on_from_a_detector(tmp_path, view, monkeypatch):
    monkeypatch.setattr(train, "BATCH", 1)
    monkeypatch.setattr(train, "CROP", 64)
    monkeypatch.setattr(train, "WATCHED", 1)
    torch.manual_seed(5)
    start = Detector()
    tuned, _ = fit([view], [view], 1, tmp_path / "a.pt", "key", start=start)
    fresh, _ = fit([view], [view], 1, tmp_path / "b.pt", "key")
    apart = [
        max(float((a - b).detach().abs().max()) for a, b in zip(model.parameters(), start.parameters()))
        for model in (tuned, fresh)
    ]
    assert 0 < apart[0] < 1e-3 < apart[1]
