"""Membranes are found where grey values show them, and cuboids leave no seam."""

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from spinome.cuboids import cuboids
from spinome.io.networks import write_network
from spinome.linking.membrane_training import teachers_of, train_membranes
from spinome.linking.membranes import (
    GRID,
    REACH,
    MembraneNet,
    Pixels,
    average,
    fit_to,
    grey_range,
    load_membranes,
    membrane_truth,
    predict_membranes,
)
from volumes import draw_cut, draw_membrane, draw_shape

VOXEL = (60.0, 24.0, 24.0)


def pixels_of(image, voxel_nm=VOXEL):
    return Pixels(image, voxel_nm, grey_range(image))


def whole_of(image):
    (block,) = cuboids(image.shape, image.shape)
    return block


@pytest.fixture(scope="module")
def tissue():
    """Cells of a random Voronoi diagram, dark where they meet."""
    rng = np.random.default_rng(0)
    places = np.stack(np.meshgrid(*[np.arange(n) for n in (28, 72, 72)], indexing="ij"), -1) * VOXEL
    seeds = rng.random((40, 3)) * places[-1, -1, -1]
    labels = np.argmin([((places - seed) ** 2).sum(-1) for seed in seeds], axis=0) + 1
    image = 160 - 90 * membrane_truth(labels) + rng.normal(0, 12, labels.shape)
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def net(tissue):
    image, labels = tissue
    teachers = list(teachers_of(pixels_of(image), labels, cuboids(image.shape, (28, 72, 64))))
    # for speed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spinome.linking.membrane_training.MembraneNet", lambda: MembraneNet((4, 6, 8)))
        return train_membranes({"tissue": teachers}, 60, 0)


@pytest.fixture(scope="module")
def opinionated():
    """A network of chance: it has an opinion on every voxel, and a seam shows in the last digit."""
    torch.manual_seed(3)
    # even numbers of channels: in half precision convolutions over odd ones are not to be relied on
    net = MembraneNet((2, 4, 6)).eval()
    torch.nn.init.normal_(net.head.weight, 0, 3)
    return net


def test_finds_membranes(tissue, net):
    image, labels = tissue
    found = predict_membranes(fit_to(net, pixels_of(image))[0], pixels_of(image), whole_of(image))
    assert roc_auc_score(membrane_truth(labels).ravel(), found.ravel()) > 0.95


@settings(max_examples=20)
@given(random=st.randoms())
def test_cuboids_leave_no_seam(opinionated, random):
    """Draws images of membranes of all kinds with noise or none, integers or floats, voxels, and cuts."""
    shape = draw_shape(random)
    voxel_nm = random.choice([VOXEL, (10.0, 10.0, 10.0), (9.0, 4.5, 3.3), (40.0, 4.6, 4.6), (5.0, 5.0, 5.0)])
    noise = np.random.default_rng(random.getrandbits(32)).normal(0, random.choice([0, 10, 60]), shape)
    image = (255 * draw_membrane(random, shape) + noise).clip(0, 255).astype(random.choice([np.uint8, np.float32]))
    # a blank image is refused
    image[0, 0, 0] = max(image[0, 0, 0], 1)
    size = draw_cut(random, shape, most=8)
    note(f"cuboids of {size} in {shape}, voxels of {voxel_nm} nm")
    pixels = pixels_of(image, voxel_nm)
    fitted = fit_to(opinionated, pixels)[0]
    whole = predict_membranes(fitted, pixels, whole_of(image))
    for block in cuboids(shape, size):
        np.testing.assert_array_equal(predict_membranes(fitted, pixels, block), whole[block.core])


def test_a_volume_of_several_tiles_is_that_of_all_of_it_at_once(opinionated, monkeypatch):
    """Tiles see all that their pixels depend on."""
    image = np.random.default_rng(1).integers(0, 255, (46, 100, 90)).astype(np.uint8)
    pixels = pixels_of(image, (10.0, 10.0, 10.0))
    at_once = predict_membranes(opinionated, pixels, whole_of(image)).astype(int)
    for tile in ((16, 32, 32), (4, 100, 20)):
        monkeypatch.setattr("spinome.linking.membranes.TILE", tile)
        assert np.abs(predict_membranes(opinionated, pixels, whole_of(image)) - at_once).max() <= 1


def test_the_reach_is_no_more_than_what_a_pixel_depends_on(opinionated):
    """And no less: a change beyond it changes nothing."""
    rng = np.random.default_rng(2)
    image = torch.from_numpy(rng.random((1, 1, 64, 96, 96), np.float32))
    with torch.inference_mode():
        before = opinionated(image)
        for axis, (reach, cell) in enumerate(zip(REACH, GRID)):
            changed = image.clone()
            changed.movedim(2 + axis, 0)[48:] += 1
            moved = (opinionated(changed) != before).movedim(2 + axis, 0).flatten(1).any(1)
            assert 48 - reach <= int(moved.int().argmax()) < 48 - reach + 2 * cell


def test_contrast_and_offset_do_not_matter(tissue, net):
    image, _ = tissue
    brighter = image.astype(np.float32) * 3 + 100
    first, second = (predict_membranes(net, pixels_of(each), whole_of(each)).astype(int) for each in (image, brighter))
    assert np.abs(first - second).mean() < 0.5


def test_fitting_brings_other_staining_nearer(tissue, net):
    """Another curve of grey values, another contrast: the network is as right about it as it was."""
    image, labels = tissue
    other = (255 * (image / 255.0) ** 3).astype(np.uint8)
    fitted, moved = fit_to(net, pixels_of(other))
    assert moved > 0
    truth = membrane_truth(labels).ravel()
    found = predict_membranes(fitted, pixels_of(other), whole_of(other)).ravel()
    assert roc_auc_score(truth, found) > 0.9


def test_a_file_is_read_as_it_was_written(tmp_path):
    net = MembraneNet().eval()
    write_network(tmp_path / "net.safetensors", net, {"trained_on": ["a"]})
    again = load_membranes(tmp_path / "net.safetensors")
    image = np.random.default_rng(1).integers(0, 255, (8, 40, 40)).astype(np.uint8)
    found = [predict_membranes(each, pixels_of(image), whole_of(image)) for each in (net, again)]
    np.testing.assert_array_equal(*found)


def test_another_file_is_an_error_that_names_it(tmp_path):
    (tmp_path / "net.safetensors").write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"net\.safetensors: is not a membrane network"):
        load_membranes(tmp_path / "net.safetensors")
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors: no such membrane network"):
        load_membranes(tmp_path / "none.safetensors")


@given(
    shape=st.tuples(*[st.integers(1, 30)] * 3),
    factors=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)),
)
def test_pixels_are_means_of_voxels(shape, factors):
    values = np.random.default_rng(0).random(shape, np.float32)
    found = average(values, factors, (4, 8, 8))
    assert all(length % cell == 0 and length >= least for length, cell, least in zip(found.shape, GRID, (4, 8, 8)))
    z, y, x = factors
    if all(length >= factor for length, factor in zip(shape, factors)):
        assert found[0, 0, 0] == pytest.approx(values[:z, :y, :x].mean(), rel=1e-5)


def statistics(net):
    return torch.cat([value.ravel() for name, value in net.state_dict().items() if "running" in name])


@pytest.mark.parametrize("nothing", [0, np.nan])
def test_padding_does_not_count_in_the_fit(opinionated, monkeypatch, nothing):
    monkeypatch.setattr("spinome.linking.membranes.TILE", (16, 32, 32))
    tissue = np.random.default_rng(1).integers(40, 255, (16, 32, 32)).astype(np.float32)
    padded = np.full((16, 32, 128), nothing, np.float32)
    padded[..., :32] = tissue
    grey, voxel_nm = grey_range(tissue), (10.0, 10.0, 10.0)
    assert grey_range(padded) == pytest.approx(grey, rel=0.1)
    alone, beside = (fit_to(opinionated, Pixels(image, voxel_nm, grey))[0] for image in (tissue, padded))
    torch.testing.assert_close(statistics(beside), statistics(alone))
    # where no tile is free of it those with the least of it count
    padded[:3, :, :32] = nothing
    assert not torch.isnan(statistics(fit_to(opinionated, Pixels(padded, voxel_nm, grey))[0])).any()


def test_every_section_of_a_thin_volume_says_what_its_grey_values_are():
    image = np.random.default_rng(0).integers(60, 200, (10, 300, 300)).astype(np.uint8)
    image[0] = 0
    assert grey_range(image, most=500) == pytest.approx(grey_range(image), abs=4)
    # where no axis is short one step serves all of them
    thick = np.random.default_rng(0).integers(60, 200, (40, 90, 90)).astype(np.uint8)
    sample = thick[::5, ::5, ::5]
    assert grey_range(thick, most=thick.size // 120) == tuple(np.percentile(sample, [1, 99]))


def test_padding_alone_has_no_grey_values():
    with pytest.raises(ValueError, match="no grey value but 0"):
        grey_range(np.zeros((4, 8, 8), np.uint8))


def test_a_voxel_more_is_no_tile_more_in_the_fit(opinionated, monkeypatch):
    monkeypatch.setattr("spinome.linking.membranes.TILE", (16, 32, 32))
    image = np.random.default_rng(1).integers(40, 255, (17, 33, 33)).astype(np.uint8)
    whole, part = (
        statistics(fit_to(opinionated, Pixels(each, (10.0, 10.0, 10.0), (40.0, 255.0)))[0])
        for each in (image, image[:16, :32, :32])
    )
    assert (whole - part).abs().max() < 0.05 * part.abs().max()


def test_a_voxel_that_is_no_number_is_dark_and_spoils_nothing(opinionated):
    image = np.random.default_rng(1).integers(40, 255, (16, 32, 32)).astype(np.float32)
    image[3, 4, 5] = np.nan
    found = predict_membranes(fit_to(opinionated, pixels_of(image))[0], pixels_of(image), whole_of(image))
    assert len(np.unique(found)) > 3


def test_tiles_of_fine_voxels_are_no_larger(opinionated):
    sides = [Pixels(None, (size,) * 3, (0.0, 1.0)).tile for size in (10.0, 5.0, 2.0)]
    assert sides == [(64, 128, 128), (64, 128, 128), (80, 160, 160)]


def test_tissue_between_the_places_of_the_sample_is_seen():
    image = np.zeros((16, 64, 64), np.uint8)
    image[1:3, 3:6, 3:6] = 90
    assert grey_range(image, 100)[0] == 90
