"""The published network: its layers, and the file that its authors give, of which only numbers are taken."""

import pickle

import pytest
import torch

from spinome.synapses.classifiers import load_card, load_classifier
from spinome.synapses.classify import Recipe
from spinome.synapses.network.published import GRID, PUBLISHED, REACH, PublishedNet, translate
from spinome.synapses.network.unet import load_network, save_network
from synapse_weights import their_name

# names of layers in the authors' file, and ours
LAYERS = {
    "inputconv.conv.conv.weight": "entry.weight",
    "convmod0.conv1.conv.weight": "down.0.convolution1.weight",
    "convmod2.bn3.running_var": "down.2.normal3.running_var",
    "rszconvmod1.upsampling.conv.conv.weight": "up.1.enlarged.weight",
    "rszconvmod1.bn1.bias": "up.1.normal.bias",
    "rszconvmod0.convmod.conv2.conv.weight": "up.0.block.convolution2.weight",
    "rszconvmod0.convmod.bn1.running_mean": "up.0.block.normal1.running_mean",
    "embedconv.conv.conv.bias": "embed.bias",
    "outputdeconv.psd_label.conv.bias": "head.bias",
}


@pytest.fixture(scope="module")
def weights():
    """Weights drawn at random, under the names of the authors' file, which counts no batches."""
    torch.manual_seed(0)
    named = {their_name(name): value for name, value in PublishedNet().state_dict().items()}
    return {name: value for name, value in named.items() if not name.endswith("num_batches_tracked")}


def test_the_weights_of_the_authors_file_are_taken(tmp_path, weights):
    # as many as the authors give
    assert len(weights) == 91
    assert sum(value.numel() for name, value in weights.items() if "running" not in name) == 408_433
    path = tmp_path / "theirs.chkpt"
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    network = translate(path)
    ours = network.net.state_dict()
    for theirs, name in LAYERS.items():
        assert torch.equal(ours[name], weights[theirs]), name
    assert not network.net.training
    card = network.card
    assert (card["kind"], card["threshold"]) == (PUBLISHED, 0.25)
    # 50 voxels of 40 x 7.16 x 7.16 nm
    assert card["min_volume_um3"] == pytest.approx(1.0253e-4, rel=1e-3)


def test_it_comes_back_from_a_file_of_ours(tmp_path, weights):
    torch.save(weights, tmp_path / "theirs.chkpt")
    network, path = translate(tmp_path / "theirs.chkpt"), tmp_path / "ours.safetensors"
    save_network(path, network)
    again = load_network(path)
    assert isinstance(again.net, PublishedNet) and again.card == network.card == load_card(path)
    assert load_classifier(path, Recipe()).card == network.card
    image = torch.rand(1, 1, 3, 16, 20)
    with torch.inference_mode():
        torch.testing.assert_close(again.net(image), network.net(image), rtol=1e-4, atol=1e-5)


def test_other_files_are_named(tmp_path, weights):
    path = tmp_path / "other.chkpt"
    path.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"other\.chkpt: does not hold the published synapse network"):
        translate(path)
    torch.save({name: value for name, value in weights.items() if "embed" not in name}, path)
    with pytest.raises(ValueError, match="2 layers are lacking"):
        translate(path)


class Harmful:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_no_code_of_the_file_runs(tmp_path, capsys):
    path = tmp_path / "harmful.chkpt"
    path.write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(ValueError, match=r"harmful\.chkpt"):
        translate(path)
    torch.save({"weights": Harmful()}, path)
    with pytest.raises(ValueError, match=r"harmful\.chkpt"):
        translate(path)
    assert "ran" not in capsys.readouterr().out


def test_nothing_beyond_the_reach_matters():
    torch.manual_seed(0)
    net = PublishedNet().eval()
    size = [2 * reach + GRID for reach in REACH]
    middle = [length // 2 for length in size]
    for offset in (GRID - 1,):
        image = torch.rand(1, 1, *size, requires_grad=True)
        at = middle[0], middle[1] + offset, middle[2] + offset
        net(image)[(0, 0, *at)].backward()
        seen = (image.grad[0, 0] != 0).nonzero() - torch.tensor(at)
        far = seen.abs().amax(0).tolist()
        assert all(0.8 * reach < length <= reach for length, reach in zip(far, REACH)), far
    assert REACH[1] % GRID == REACH[2] % GRID == 0
