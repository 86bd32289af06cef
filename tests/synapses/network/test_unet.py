"""The network gives every voxel the same probability in any cuboid, learns, and comes back from its file."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.synapses.classifiers import load_card, load_classifier, of_network, save_classifier
from spinome.synapses.classify import Evidence, Recipe
from spinome.synapses.grey import Grey, shrinkage
from spinome.synapses.network import fit, tiles
from spinome.synapses.network.augment import CROP, draw_crop, teacher
from spinome.synapses.network.fit import fit_network, loss_of
from spinome.synapses.network.unet import GRID, REACH, Network, UNet, average, load_network, save_network
from spinome.synapses.training.learners import network_learner
from volumes import draw_cut, draw_shape

MODELS = Path(__file__).parents[3] / "workflow" / "models"
VOXEL_NM = (45.0, 5.0, 5.0)
GREY = Grey(128.0, 32.0)


def opinionated(seed=0):
    """A network with random weights that has an opinion on every voxel."""
    torch.manual_seed(seed)
    net = UNet().eval().to(memory_format=torch.channels_last_3d)
    torch.nn.init.normal_(net.head.weight, std=3)
    torch.nn.init.zeros_(net.head.bias)
    return Network(net, {"pixel_nm": 9.0, "threshold": 0.5})


def evidence_of(shape, voxel_nm=VOXEL_NM, seed=0):
    image = np.random.default_rng(seed).integers(0, 255, shape).astype(np.uint8)
    return Evidence(Volume(image, voxel_nm, "image"), GREY)


@pytest.mark.parametrize("voxel_nm", [(45.0, 5.0, 5.0), (45.0, 9.0, 9.0)])
def test_probabilities_do_not_depend_on_the_cuboid(monkeypatch, voxel_nm):
    monkeypatch.setattr(tiles, "TILE", (4, 32, 32))
    evidence, network = evidence_of((6, 75, 60), voxel_nm), opinionated()
    classifier = of_network(network)
    whole = next(iter(cuboids(evidence.image.shape, evidence.image.shape)))
    expected = classifier.probability(evidence, whole)
    assert np.ptp(expected) > 0.2 and len(np.unique(expected)) > 5000
    for size in ((6, 32, 64), (3, 50, 37)):
        found = np.empty_like(expected)
        for piece in cuboids(expected.shape, size, classifier.halo(evidence)):
            found[piece.core] = classifier.probability(evidence, piece)
        np.testing.assert_array_equal(found, expected)


@settings(max_examples=60)
@given(st.randoms())
def test_any_cuboid_takes_its_own_voxels_of_the_tiles(random):
    """Draws volumes down to a voxel, cuts and tiles, whose probabilities are numbers of voxels here."""
    shape = draw_shape(random)
    number = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    factor = random.randint(1, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "TILE", draw_cut(random, shape))
        patch.setattr(tiles, "_run", lambda evidence, tile, network, factors: evidence.image[tile])
        network = SimpleNamespace(factors=lambda voxel_nm: (factor, factor))
        for piece in cuboids(shape, draw_cut(random, shape)):
            found = tiles.network_probability(Evidence(Volume(number, VOXEL_NM, "image"), GREY), piece, network)
            np.testing.assert_array_equal(found, number[piece.core])


def test_tiles_agree_with_the_whole_image(monkeypatch):
    evidence, network = evidence_of((6, 90, 120), (45.0, 9.0, 9.0)), opinionated()
    whole = next(iter(cuboids(evidence.image.shape, evidence.image.shape)))
    in_one = tiles.network_probability(evidence, whole, network)
    monkeypatch.setattr(tiles, "TILE", (4, 64, 64))
    np.testing.assert_allclose(tiles.network_probability(evidence, whole, network), in_one, atol=1e-5)


def test_nothing_beyond_the_reach_matters():
    net, size = opinionated().net, (9, 168, 168)
    image = torch.zeros(1, 1, *size)
    middle = tuple(length // 2 for length in size)
    with torch.inference_mode():
        before = net(image)[0, 0, middle[0], middle[1] // 2, middle[2] // 2]
        for axis, reach in enumerate(REACH):
            beyond, within = image.clone(), image.clone()
            far = [slice(None)] * 5
            far[axis + 2] = slice(middle[axis] + reach + 1, None)
            beyond[tuple(far)] = 3
            far[axis + 2] = slice(middle[axis] + 1, None)
            within[tuple(far)] = 3
            assert net(beyond)[0, 0, middle[0], middle[1] // 2, middle[2] // 2] == before
            assert net(within)[0, 0, middle[0], middle[1] // 2, middle[2] // 2] != before
    assert REACH[1] % GRID == REACH[2] % GRID == 0


def test_voxels_are_averaged_to_the_pixels_of_the_training():
    assert shrinkage((45.0, 4.6, 4.6)) == (2, 2)
    assert shrinkage((45.0, 12.0, 12.0)) == (1, 1)
    assert shrinkage((45.0, 4.0, 8.0), 16.0) == (4, 2)
    values = np.arange(2 * 32 * 35).reshape(2, 32, 35).astype(np.uint8)
    shrunk = average(values, (2, 2))
    assert shrunk.shape == (2, 16, 24)
    assert shrunk[0, 1, 2] == values[0, 2:4, 4:6].mean()
    assert (shrunk[:, :, -1] == shrunk[:, :, 18]).all()


def test_crops_show_their_synapse_and_weigh_nothing_outside():
    image, truth = np.zeros((14, 160, 160), np.float32), np.zeros((14, 160, 160), np.float32)
    truth[6:8, 70:90, 70:90] = 1
    source = teacher(image + truth, truth)
    assert [len(pixels) for pixels in source.objects] == [800]
    drawn = [draw_crop(source, np.random.default_rng(seed)) for seed in range(30)]
    assert all(part.shape == CROP for parts in drawn for part in parts)
    assert sum(bool(part[1].any()) for part in drawn) > 15
    dark, bright = (np.mean([float(i[m].mean()) for i, t, w in drawn if (m := (w > 0) & is_in(t)).any()])
                    for is_in in (lambda t: t == 0, lambda t: t == 1))  # fmt: skip
    assert bright > dark + 0.5
    assert all((truth[weight == 0] == 0).all() for _, truth, weight in drawn)
    assert min(float(weight.mean()) for _, _, weight in drawn) < 0.9


def test_rough_crops_differ_in_their_grey_values_and_stay_within_the_volume():
    image = np.random.default_rng(0).standard_normal((14, 320, 320)).astype(np.float32)
    truth = np.zeros_like(image)
    truth[6:8, 2:22, 2:22] = 1
    source = teacher(image, truth)
    crops = {rough: [draw_crop(source, np.random.default_rng(n), rough) for n in range(20)] for rough in (False, True)}
    assert all(part.shape == CROP and torch.isfinite(part).all() for parts in crops[True] for part in parts)
    spread = {rough: np.std([float(image.std()) for image, _, _ in drawn]) for rough, drawn in crops.items()}
    assert spread[True] > spread[False]
    weight = {rough: np.mean([float(weight.mean()) for _, _, weight in drawn]) for rough, drawn in crops.items()}
    assert weight[True] > weight[False] + 0.1
    # the synapse in the corner is still shown
    assert sum(bool(truth.any()) for _, truth, _ in crops[True]) >= 4


def test_the_loss_is_small_for_the_truth_alone():
    truth = torch.zeros(1, 1, 2, 8, 8)
    truth[..., 2:6, 2:6] = 1
    weight = torch.ones_like(truth)
    logits = torch.where(torch.nn.functional.avg_pool3d(truth, (1, 2, 2)) > 0.5, 9.0, -9.0)
    assert loss_of(logits, truth, weight) < 0.01 < 1 < loss_of(-logits, truth, weight)
    assert loss_of(-logits, truth, weight * 0) == pytest.approx(0, abs=1e-6)


def test_training_goes_on_with_the_networks_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr("spinome.synapses.network.augment.CROP", (4, 32, 32))
    image = np.random.default_rng(0).integers(90, 160, (6, 40, 800)).astype(np.uint8)
    truth = np.zeros(image.shape, np.uint8)
    for x in range(30, 800, 90):
        truth[2:4, 10:30, x : x + 20], image[2:4, 10:30, x : x + 20] = 1, 20
    volumes = {"v": (Evidence(Volume(image, VOXEL_NM, "i"), GREY), Volume(truth, VOXEL_NM, "t"))}
    learn = network_learner(volumes, steps=3, seed=0, store=tmp_path, code="code")
    first = learn((1,))
    monkeypatch.setattr("spinome.synapses.network.fit.fit_network", None)
    again = network_learner(volumes, steps=3, seed=0, store=tmp_path, code="code")((1,))
    assert again.card == first.card == {"kind": "network", "pixel_nm": 10.0, "steps": 3}
    for name, value in first.net.state_dict().items():
        torch.testing.assert_close(again.net.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(TypeError):
        network_learner(volumes, steps=4, seed=0, store=tmp_path, code="code")((1,))
    # mended labels count even where as many voxels are labelled as before
    mended = {"v": (volumes["v"][0], Volume(np.roll(truth, 40, axis=2), VOXEL_NM, "t"))}
    with pytest.raises(TypeError):
        network_learner(mended, steps=3, seed=0, store=tmp_path, code="code")((1,))
    coarse = Volume(image, (45.0, 18.0, 18.0), "i"), Volume(truth, (45.0, 18.0, 18.0), "t")
    with pytest.raises(ValueError, match="pixels of 10 to 18 nm"):
        mixed = volumes | {"w": (Evidence(coarse[0], GREY), coarse[1])}
        network_learner(mixed, steps=1, seed=0, store=tmp_path, code="code")


def test_training_begins_with_a_given_network(monkeypatch):
    monkeypatch.setattr("spinome.synapses.network.augment.CROP", (4, 32, 32))
    image = np.random.default_rng(0).random((6, 48, 48), np.float32)
    source, start = teacher(image, (image > 0.9).astype(np.float32)), opinionated().net
    before = {name: value.clone() for name, value in start.named_parameters()}
    learnt = dict(fit_network([source], 1, 0, start).named_parameters())
    for name, value in start.named_parameters():
        assert torch.equal(value, before[name])
        # a first step is small
        assert 0 < (learnt[name] - value).abs().max() < 0.001
    fresh = dict(fit_network([source], 1, 0).named_parameters())
    assert (fresh["head.weight"] - before["head.weight"]).abs().max() > 0.1


def test_training_that_was_killed_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("spinome.synapses.network.augment.CROP", (4, 32, 32))
    monkeypatch.setattr(fit, "CHECKPOINT_EVERY", 2)
    image = np.random.default_rng(0).random((6, 48, 48), np.float32)
    source, start, path = teacher(image, (image > 0.9).astype(np.float32)), opinionated().net, tmp_path / "a" / "b.pt"
    straight = fit_network([source], 5, 0, start).state_dict()
    steps = []

    def killed(*given):
        steps.append(given)
        if len(steps) == 4:
            raise KeyboardInterrupt
        return loss_of(*given)

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(fit, "loss_of", killed)
        fit_network([source], 5, 0, start, path)
    capsys.readouterr()
    resumed = fit_network([source], 5, 0, start, path).state_dict()
    assert "resumed after 2 steps" in capsys.readouterr().out
    # what is finished is not trained again
    again = fit_network([source], 5, 0, start, path).state_dict()
    assert "resumed after 5 steps" in capsys.readouterr().out
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]) and torch.equal(value, again[name])


def test_training_without_a_synapse_is_an_error():
    empty = teacher(np.zeros((4, 16, 16), np.float32), np.zeros((4, 16, 16), np.float32))
    with pytest.raises(ValueError, match="no synapse is left"):
        fit_network([empty], 1, 0)


def test_a_network_comes_back_from_its_file(tmp_path):
    network, path = opinionated(), tmp_path / "synapses.safetensors"
    save_classifier(path, network)
    assert load_card(path) == network.card
    evidence = evidence_of((3, 40, 40))
    piece = next(iter(cuboids((3, 40, 40), (3, 40, 40))))
    loaded = load_classifier(path, Recipe())
    np.testing.assert_array_equal(loaded.probability(evidence, piece), of_network(network).probability(evidence, piece))


@pytest.mark.parametrize("name", ["synapses.safetensors", "synapses.skops"])
def test_a_shipped_model_knows_where_it_operates(name):
    card = load_classifier(MODELS / name, Recipe()).card
    assert 0 < card["threshold"] < 1 and card["min_volume_um3"] >= 0 and 0 <= card["min_peak"] < 1


def test_a_file_that_is_no_network_is_named(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(FileNotFoundError, match=r"other\.safetensors"):
        load_network(path)
    path.write_bytes(b"12345678")
    with pytest.raises(ValueError, match=r"other\.safetensors: is not a synapse network"):
        load_network(path)
    save_network(path, opinionated())
    assert load_network(path).card["threshold"] == 0.5
