"""Figures of densities say what their tables say, for many blocks, few blocks and none that is unmasked."""

import json

import numpy as np
import pandas as pd
import pytest

from spinome.io.volumes import Volume
from spinome.report.density import draw_density, draw_mask, tables_by_volume
from spinome.synapses.density.blocks import MASKED, SPLIT
from spinome.synapses.density.mask import HIDDEN
from spinome.synapses.density.uniformity import correct_density, describe_uniformity


def blocks_of(shape):
    centres = (np.indices(shape).reshape(3, -1).T + 0.5) * 5000
    table = pd.DataFrame(centres, columns=["z_nm", "y_nm", "x_nm"])
    return table.assign(synapses=np.random.default_rng(0).poisson(100, len(table)), unmasked_um3=125.0)


def captions(folder):
    index = folder / "figures.json"
    entries = json.loads(index.read_text()) if index.exists() else []
    assert all((folder / f"{entry['name']}.png").stat().st_size > 5000 for entry in entries)
    return {entry["name"]: entry["caption"] for entry in entries}


def test_density_of_many_blocks(tmp_path):
    blocks = blocks_of((4, 6, 8))
    described = describe_uniformity(blocks, "v", repeats=99)
    described = pd.concat([described, correct_density(described, (0.8, 0.7, 0.9), (0.5, 0.4, 0.6))])
    draw_density(tmp_path, "v", blocks, described, {SPLIT: 1203, MASKED: 4})
    caption = captions(tmp_path)["density_v"]
    assert f"1,203 more in no block: {SPLIT}. 4 more in no block: {MASKED}. " in caption
    density = blocks["synapses"].sum() / blocks["unmasked_um3"].sum()
    for words in [f"{density:.3g} found per um³", f"{1.6 * density:.3g} true ones", "Pearson dispersion", "p "]:
        assert words in caption


@pytest.mark.parametrize(("shape", "figures"), [((1, 2, 4), {"density_v"}), ((1, 1, 2), set())])
def test_few_blocks_have_a_map_or_nothing(tmp_path, shape, figures):
    blocks = blocks_of(shape)
    draw_density(tmp_path, "v", blocks, describe_uniformity(blocks, "v"), {})
    told = captions(tmp_path)
    assert set(told) == figures
    assert all("too few blocks for an interval" in caption and "nan" not in caption for caption in told.values())


def test_masked_blocks_are_not_drawn(tmp_path):
    blocks = blocks_of((2, 4, 4)).assign(unmasked_um3=0.0, synapses=0)
    draw_density(tmp_path, "v", blocks, describe_uniformity(blocks, "v"), {})
    assert captions(tmp_path) == {}


@pytest.mark.parametrize("depth", [1, 9])
def test_what_a_mask_hides(tmp_path, depth):
    hidden = np.zeros((depth, 20, 30), np.uint8)
    hidden[:, :5], hidden[:, 10:15, 10:15] = HIDDEN["blank"], HIDDEN["dark body"]
    image = Volume(np.random.default_rng(0).random(hidden.shape), (500.0, 500.0, 500.0), "overview")
    draw_mask(tmp_path, "v", image, Volume(hidden, image.voxel_nm, "hidden"))
    assert "No synapse is counted there" in captions(tmp_path)["mask_v"]


def test_tables_of_this_run_and_of_others():
    own = pd.DataFrame({"volume": ["a", "b", "a"], "synapses": [1, 2, 3]})
    tables = tables_by_volume(own, {"elsewhere": own})
    assert list(tables) == ["a", "b", "elsewhere"] and tables["a"]["synapses"].tolist() == [1, 3]
    assert tables_by_volume(None, {}) == {}
