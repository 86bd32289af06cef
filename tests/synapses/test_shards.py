"""Shards of cuboids: any number of them gives the same objects, and a second run computes only what is missing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume
from spinome.seeds import number_of
from spinome.synapses.objects.detect import take_given
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import save_parts
from spinome.workflow.shards import Unit, run_shard
from volumes import draw_cut, draw_labels, draw_shape

VOXEL_NM = (40.0, 8.0, 8.0)
SIZE = (3, 10, 10)


@pytest.fixture
def labels():
    return Volume((np.random.default_rng(0).random((8, 30, 33)) > 0.75).astype(np.uint8), VOXEL_NM, "labels.h5")


def find(labels, folder, shards, computed, size=SIZE):
    """Run all shards and return the file of every cuboid."""
    blocks = {block.name: block for block in cuboids(labels.shape, size)}

    def compute(unit, path):
        computed.append(unit.name)
        save_parts(path, take_given(labels, blocks[unit.name]))

    done = [
        run_shard(
            [Unit(name) for name in blocks if number_of(name, shards) == shard],
            compute,
            step="synapses_detect",
            store=folder / "store",
            suffix=".npz",
            key="key",
            done=folder / f"done_{shard}.parquet",
            failures=folder / f"failures_{shard}.parquet",
        )
        for shard in range(shards)
    ]
    files = pd.concat(done).set_index("unit")["file"]
    return files[list(blocks)].tolist()


@settings(max_examples=12)
@given(random=st.randoms())
def test_objects_do_not_depend_on_the_number_of_shards(random, tmp_path_factory):
    """Draws labels from nearly empty to full, a cut, and more shards than cuboids or fewer."""
    labels = Volume(draw_labels(random, draw_shape(random)), VOXEL_NM, "labels.h5")
    size = draw_cut(random, labels.shape)
    found = [
        merge_parts(find(labels, tmp_path_factory.mktemp("shards"), shards, [], cuboid), labels.shape, VOXEL_NM)[0]
        for shards, cuboid in ((1, labels.shape), (1, size), (random.randint(2, 9), size))
    ]
    for other in found[1:]:
        pd.testing.assert_frame_equal(other, found[0], check_exact=True)


def test_rerun_computes_only_what_is_missing(labels, tmp_path):
    computed = []
    files = find(labels, tmp_path, 2, computed)
    assert len(computed) == len(files)
    before = merge_parts(files, labels.shape, VOXEL_NM)[0]
    # as after a kill: one cuboid was never finished
    missing = Path(files[1])
    missing.unlink()
    computed.clear()
    again = merge_parts(find(labels, tmp_path, 2, computed), labels.shape, VOXEL_NM)[0]
    assert computed == [missing.name.partition(".")[0]]
    pd.testing.assert_frame_equal(again, before, check_exact=True)


def test_negative_labels_are_an_error_that_names_the_file():
    bad = Volume(np.full((2, 3, 3), -1, np.int32), VOXEL_NM, "bad.h5::labels")
    with pytest.raises(ValueError, match=r"bad\.h5::labels: has negative labels"):
        take_given(bad, next(iter(cuboids(bad.shape, bad.shape))))
