"""What can go wrong on the way from labels to densities: a right answer, or one message that says what to do."""

import multiprocessing
import os
import resource
import signal

import h5py
import numpy as np
import pandas as pd
import pytest

from spinome.cuboids import cuboids
from spinome.io.volumes import Volume, chunks_to_write, create_volume, open_labels, open_probability, require_same_grid
from spinome.synapses.density.blocks import (
    SPLIT,
    assign_blocks,
    block_axes,
    block_table,
    count_unplaced,
    count_voxels,
    gather_counts,
)
from spinome.synapses.density.uniformity import describe_uniformity
from spinome.synapses.objects.detect import take_given
from spinome.synapses.objects.merge import merge_parts
from spinome.synapses.objects.patches import find_parts, load_parts, save_parts
from spinome.workflow.shards import Unit, run_shard

VOXEL_NM = (50.0, 10.0, 10.0)
BLOCK_UM = (0.2, 0.1, 0.1)


def volume(array, voxel_nm=VOXEL_NM, source="v.h5::labels"):
    return Volume(array, voxel_nm, source)


def even_blocks(**changed):
    centres = (np.indices((4, 5, 6)).reshape(3, -1).T + 0.5) * 5000
    table = pd.DataFrame(centres, columns=["z_nm", "y_nm", "x_nm"])
    synapses = np.random.default_rng(0).poisson(100, len(table)).astype(float)
    return table.assign(synapses=synapses, unmasked_um3=125.0).assign(**changed)


def density(labels, folder, valid=None, size=(4, 10, 10)):
    """Objects and blocks of a label volume by way of cuboids."""
    pieces = list(cuboids(labels.shape, size))
    for piece in pieces:
        save_parts(folder / f"{piece.name}.npz", take_given(volume(labels), piece))
    objects, ids = merge_parts([folder / f"{piece.name}.npz" for piece in pieces], labels.shape, VOXEL_NM)
    axes, grid = block_axes(labels.shape, VOXEL_NM, BLOCK_UM)
    counts = []
    for piece, found in zip(pieces, ids):
        runs, within = load_parts(folder / f"{piece.name}.npz").runs, [a[s] for a, s in zip(axes, piece.core)]
        shown = None if valid is None else valid[piece.core]
        counts.append(count_voxels(runs, found[runs[:, -1]], shown, within, grid))
    counts = gather_counts(pd.concat(counts))
    assigned = assign_blocks(counts)
    return objects, assigned, block_table(counts, assigned, labels.shape, VOXEL_NM, BLOCK_UM)


def stored_map(values):
    def read(folder):
        with h5py.File(folder / "map.h5", "w") as file:
            file["p"] = np.tile(np.float32(values), (3, 4, 5))
        return open_probability(f"{folder}/map.h5::p", VOXEL_NM)[:]

    return read


def irregular(folder):
    places = np.random.default_rng(0).uniform(0, 1e6, (120, 3))
    return describe_uniformity(even_blocks(z_nm=places[:, 0], y_nm=places[:, 1], x_nm=places[:, 2]), "t")


ERRORS = {
    "a mask of another shape": (
        lambda folder: require_same_grid([volume(np.ones((3, 4, 5))), volume(np.ones((3, 4, 6)), source="mask.tif")]),
        r"mask\.tif: has shape \(3, 4, 6\), v\.h5::labels has \(3, 4, 5\)",
    ),
    "voxel sizes that disagree": (
        lambda folder: require_same_grid([volume(np.ones((3, 4))), volume(np.ones((3, 4)), (50, 12, 12), "m.h5")]),
        r"m\.h5: has voxels of \(50, 12, 12\) nm, .*set voxel_z_nm",
    ),
    "a stored probability above 1": (stored_map([0.2, 3.0]), r"map\.h5::p: probabilities lie between 0 and 1"),
    "a stored probability below 0": (stored_map([-0.5, 0.5]), r"map\.h5::p: probabilities lie between 0 and 1"),
    "a computed probability that is not a number": (
        lambda folder: find_parts(np.ones((1, 1, 2), np.uint8), np.full((1, 1, 2), np.nan), (0, 0, 0), (1, 1, 2)),
        "probabilities must lie between 0 and 1",
    ),
    "negative labels": (
        lambda folder: take_given(volume(np.full((1, 2, 2), -1)), next(cuboids((1, 2, 2), (1, 2, 2)))),
        "v.h5::labels: has negative labels",
    ),
    "blocks smaller than voxels": (
        lambda folder: block_axes((3, 3, 3), VOXEL_NM, (0.01, 1, 1)),
        "enlarge density.block_um",
    ),
    "a negative count in a table": (
        lambda folder: describe_uniformity(even_blocks(synapses=-1), "t"),
        "blocks of t: column synapses is missing, not finite or negative in 120 of 120",
    ),
    "a missing volume in a table": (
        lambda folder: describe_uniformity(even_blocks(unmasked_um3=np.nan), "t"),
        "blocks of t: column unmasked_um3 is missing",
    ),
    "a block that is there twice": (
        lambda folder: describe_uniformity(pd.concat([even_blocks()] * 2), "t"),
        "two blocks lie at one place",
    ),
    "blocks on no grid": (irregular, "blocks lie on a regular grid"),
}


@pytest.mark.parametrize("problem", ERRORS)
def test_one_message(problem, tmp_path):
    bad, message = ERRORS[problem]
    with pytest.raises(ValueError, match=message):
        bad(tmp_path)


def test_a_volume_thinner_than_the_halo_is_one_cuboid():
    (piece,) = cuboids((2, 9, 9), (32, 512, 512), (10, 70, 70))
    assert piece.padded == piece.core == piece.inner == (slice(0, 2), slice(0, 9), slice(0, 9))


def test_empty_cuboids_have_no_parts(tmp_path):
    labels = np.zeros((8, 20, 20), np.uint8)
    labels[5, 12, 3] = 1
    objects, _, blocks = density(labels, tmp_path)
    assert objects[["voxels", "z0", "y0", "x0"]].to_numpy().tolist() == [[1, 5, 12, 3]]
    assert len(blocks) == 8 and blocks["synapses"].sum() == 1
    assert len(load_parts(tmp_path / "0-0-0.npz").table) == 0


def test_a_volume_without_synapses_has_no_density_to_describe(tmp_path):
    objects, assigned, blocks = density(np.zeros((8, 20, 20), np.uint8), tmp_path)
    assert objects.empty and assigned.empty and (blocks["density_um3"] == 0).all()
    assert describe_uniformity(blocks, "v")["note"].tolist() == ["no synapse in any unmasked block"]


def test_masked_blocks_are_left_out_of_density_and_statistics(tmp_path):
    labels, valid = np.zeros((8, 20, 20), np.uint8), np.ones((8, 20, 20), bool)
    labels[1, 3, 3:6] = labels[1, 13, 13:16] = 1
    valid[:4, :10, :10] = False
    _, assigned, blocks = density(labels, tmp_path, valid)
    assert (assigned["block"] < 0).tolist() == [True, False]
    assert np.isnan(blocks["density_um3"]).tolist() == [True] + [False] * 7
    _, _, hidden = density(labels, tmp_path, np.zeros_like(valid))
    assert hidden["synapses"].sum() == 0 and hidden["density_um3"].isna().all()
    assert describe_uniformity(hidden, "v")["n"].tolist() == [0]


def test_an_object_larger_than_a_block_is_told_of(tmp_path):
    labels = np.zeros((8, 20, 20), np.uint8)
    labels[:, 2:18, 2:18] = 1
    _, assigned, blocks = density(labels, tmp_path)
    assert assigned[["block", "reason"]].to_numpy().tolist() == [[-1, SPLIT]]
    assert count_unplaced(assigned) == {SPLIT: 1}
    assert blocks["synapses"].sum() == 0


def test_negative_positions_are_as_good_as_others():
    blocks = even_blocks()
    moved = blocks.assign(x_nm=blocks["x_nm"] - 1e6, z_nm=blocks["z_nm"] - 5e4)
    found, other = (describe_uniformity(table, "t", repeats=99) for table in (blocks, moved))
    pd.testing.assert_frame_equal(found.drop(columns="at_um"), other.drop(columns="at_um"))


def run_units(folder, compute):
    return run_shard(
        [Unit("0-0-0"), Unit("0-0-9")],
        compute,
        step="synapses_detect",
        store=folder / "store",
        suffix=".npz",
        key="key",
        done=folder / "done.parquet",
        failures=folder / "failures.parquet",
    )


def write(unit, path):
    save_parts(path, find_parts(np.random.default_rng(0).integers(0, 2, (8, 60, 60)), None, (0, 0, 0), (8, 60, 60)))


def write_and_die(unit, path):
    write(unit, path)
    path.write_bytes(path.read_bytes()[:1000])
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=run_units, args=(tmp_path, write_and_die))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "done.parquet").exists() and not list((tmp_path / "store").glob("*/0-0-0.*"))
    files = run_units(tmp_path, write)["file"]
    # the half-written file is gone, and the retry reads as if nothing had happened
    assert sorted(path.name.partition(".")[0] for path in (tmp_path / "store").glob("*/*")) == ["0-0-0", "0-0-9"]
    assert all(len(load_parts(file).table) for file in files)


@pytest.fixture
def full_disk():
    """Writing more than 20 kB to any file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fails_cleanly_and_a_retry_completes(tmp_path, full_disk):
    with pytest.raises(OSError, match="File too large"):
        run_units(tmp_path, write)
    assert list((tmp_path / "store").glob("*.npz")) == [] and not (tmp_path / "done.parquet").exists()
    full_disk()
    assert len(run_units(tmp_path, write)) == 2


def test_a_full_disk_leaves_chunks_of_labels_as_they_were(tmp_path, full_disk):
    store, shape = tmp_path / "labels.zarr", (4, 64, 64)
    create_volume(store, shape, np.uint64, VOXEL_NM, shape)
    chunks_to_write(store)[:] = 7
    noise = np.random.default_rng(0).integers(0, 2**60, shape).astype(np.uint64)
    with pytest.raises(OSError, match="File too large"):
        chunks_to_write(store)[:] = noise
    assert (open_labels(str(store))[:] == 7).all()
    full_disk()
    chunks_to_write(store)[:] = noise
    np.testing.assert_array_equal(open_labels(str(store))[:], noise)
