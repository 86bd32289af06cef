import numpy as np
import pandas as pd
import pytest

from spinome.twophoton.training_images import View, field_view, hold_out, read_fields, stack_view


def test_small_field_views_are_mirrored_with_their_boxes():
    image = np.zeros((40, 60), np.float32)
    image[10:14, 20:24] = 100
    boxes = np.array([[20.0, 10, 24, 14]])
    out = field_view(image, boxes, 0.12)
    assert out.stack.shape == (1, 80, 120) and len(out.spines) == 4
    for _, y, x, side in out.spines:
        assert out.stack[0, round(y), round(x)] > 0.5
        assert side == pytest.approx(4)


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
