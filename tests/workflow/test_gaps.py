"""Scripts that go on with the cuboids that are there: what is lacking becomes a gap, and stays one to the last."""

import errno
import json
import resource
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spinome.configuration.linking import Typing, Watershed
from spinome.cuboids import and_next, cuboids
from spinome.io.damage import DamagedError
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, open_probability, write_volume
from spinome.linking import measure, pieces
from spinome.linking.basins import basins
from spinome.linking.candidates import PLACES
from spinome.linking.contacts import find_contacts, save_contacts
from spinome.linking.flooding_heights import landscape, reach
from spinome.linking.meshes import dendrite_pieces, meshed_dendrites
from spinome.linking.pieces import save_pieces
from spinome.linking.typing import measure_segments
from spinome.synapses.density.blocks import CUT
from spinome.synapses.objects.patches import find_parts, save_parts
from spinome.workflow.shards import Unit, run_shard

SCRIPTS = Path(__file__).parents[2] / "scripts"
SHAPE, CUBOID, VOXEL_NM = (16, 48, 96), (16, 48, 32), (20.0, 10.0, 10.0)
SETTINGS = Watershed().model_dump()


@pytest.fixture
def finish(tmp_path):
    """A function that computes all cuboids but some, and writes the table of those that are finished."""

    def run(name, compute, *failed, blocks=None):
        def fail_or_compute(unit, path):
            if unit.name in failed:
                raise ValueError("is to fail")
            compute(unit.name, path)

        done = tmp_path / f"{name}.parquet"
        run_shard(
            [Unit(block) for block in blocks or [block.name for block in cuboids(SHAPE, CUBOID)]],
            fail_or_compute,
            step=name,
            store=tmp_path / "units" / name,
            suffix=".npz",
            # cuboids of another size have the same names
            key=str(CUBOID),
            done=done,
            failures=tmp_path / f"{name}_failures.parquet",
        )
        return str(done)

    return run


@pytest.fixture
def finished_basins(tmp_path, finish):
    """Membranes of tubes along x, and a function that writes the table of finished cuboids without some of them."""
    membrane = np.zeros(SHAPE, np.float32)
    membrane[:, ::12] = membrane[::8] = 1
    write_volume(tmp_path / "membrane.zarr", membrane, VOXEL_NM)
    halo = reach(VOXEL_NM, SETTINGS["smoothing_nm"], SETTINGS["spacing_nm"])

    def compute(name, path):
        block = {block.name: block for block in cuboids(SHAPE, CUBOID, halo)}[name]
        height, seed = landscape(membrane[block.padded], VOXEL_NM, mask=None, **SETTINGS)
        basin, left = basins(height, seed, block, SHAPE)
        np.savez(path, basin=basin, **vars(left))

    return lambda name, *failed: finish(name, compute, *failed)


@pytest.fixture
def segment(tmp_path, run_script, finish, finished_basins):
    """A function that makes segments and their gaps with cuboids that failed in some steps; returns their files."""

    def run(**failed):
        names = {"superpixels": "zarr", "gaps": "parquet", "tree": "parquet", "segments": "zarr"}
        files = {name: str(tmp_path / f"{name}.{suffix}") for name, suffix in names.items()}
        done = {name: [finished_basins(name, *failed.get(name, []))] for name in ("basins", "membranes")}
        aside = {"row": {"membrane": str(tmp_path / "membrane.zarr")}}
        superpixels = {"superpixels": files["superpixels"]}
        run_script("linking_watershed", {"done": done["basins"]}, superpixels, aside, voxel_nm=None, cuboid=CUBOID)
        labels, membrane = open_labels(files["superpixels"]), open_probability(str(tmp_path / "membrane.zarr"))
        blocks = {block.name: block for block in cuboids(SHAPE, CUBOID)}

        def compute(name, path):
            box = and_next(blocks[name], SHAPE)
            save_contacts(path, find_contacts(labels[box], membrane[box], VOXEL_NM, blocks[name].shape))

        contacts = {"contacts": [finish("contacts", compute, *failed.get("contacts", []))]}
        run_script(
            "linking_agglomerate",
            superpixels | contacts,
            {"tree": files["tree"]},
            priority="mean",
            # few enough for rounds of single cuboids
            most_superpixels=4,
        )
        given = superpixels | contacts | {"tree": files["tree"], "basins": done["basins"]}
        made = {name: files[name] for name in ("segments", "gaps")}
        run_script("linking_segments", given | {"predicted": done["membranes"]}, made, threshold=0.4, cuboid=CUBOID)
        return files

    return run


@pytest.fixture
def type_segments(tmp_path, run_script):
    """A function that types the segments of a volume with gaps through all steps; returns the table's file."""

    def run(gaps, aside, settings, by_shape=False, failing=""):
        params = {"voxel_nm": None, "working_nm": settings["working_nm"], "cuboid": CUBOID, "shards": 1}
        surfaces = {"min_um3": settings["orphan_min_um3"] if aside.get("model") else None}
        table = {"segments": str(tmp_path / "join.parquet")}

        def units(step, given, **more):
            files = {name: str(tmp_path / f"{step}_{name}.parquet") for name in ("done", "failures")}
            run_script(f"linking_{step}", given, files, aside, **params, **more)
            assert step == failing or read_table(files["failures"]).empty
            return [files["done"]]

        measured = units("measure", {"gaps": gaps})
        run_script("linking_join", {"gaps": gaps, "measured": measured}, table, aside, **params)
        given = table | {"pieces": units("pieces", table, **surfaces)}
        given["shapes"] = units("shapes", given | {"types": []}, group_nm=5000.0, **surfaces)
        typed = str(tmp_path / "typing.parquet")
        shape = {"by_shape": by_shape, "settings": settings}
        run_script("linking_typing", given | {"unseen": []}, {"typing": typed}, aside, voxel_nm=None, **shape)
        return typed

    return run


@pytest.mark.parametrize("step", ["basins", "membranes", "contacts"])
def test_segments_that_a_failed_cuboid_cuts_are_no_orphans(tmp_path, segment, type_segments, step):
    made = segment(**{step: ["0-0-64"]})
    gaps = read_table(made["gaps"])
    assert gaps[["x0", "x1"]].to_numpy().tolist() == [[64, 96]]
    labels = open_labels(made["segments"])[:]
    assert labels.dtype == np.uint64 and not labels[..., 64:].any() and labels[..., :64].all()
    # two pieces of one size, one of them beside the gap
    segments = np.zeros(SHAPE, np.uint32)
    segments[4:8, 20:30, 54:64], segments[4:8, 20:30, 20:30] = 1, 2
    write_volume(tmp_path / "segments.zarr", segments, VOXEL_NM)
    aside = {"row": {"segmentation": str(tmp_path / "segments.zarr")}}
    typed = type_segments(made["gaps"], aside, Typing(orphan_min_um3=0.0001).model_dump())
    assert read_table(typed).set_index("segment")["kind"].to_dict() == {1: "other", 2: "orphan"}


@pytest.mark.parametrize("cuboid", [(15, 47, 19), (16, 48, 95)])
def test_a_last_cuboid_of_one_voxel_and_segments_through_every_cuboid(segment, monkeypatch, tmp_path, cuboid):
    """The halo of the basins is of 13 to 26 voxels, and each tube runs through all cuboids along x."""

    def made(size):
        monkeypatch.setattr(sys.modules[__name__], "CUBOID", size)
        files = segment()
        return [open_labels(files[name])[:] for name in ("superpixels", "segments")]

    superpixels, segments = made(SHAPE)
    assert (segments[4, :, 0] == segments[4, :, -1]).all() and len(np.unique(segments)) > 3
    again, cut = made(cuboid)
    np.testing.assert_array_equal(again, superpixels)
    np.testing.assert_array_equal(cut, segments)


def two_pieces(tmp_path):
    """A volume of two pieces of one size, and what the typing is asked for."""
    segments = np.zeros(SHAPE, np.uint32)
    segments[4:8, 20:30, 40:50], segments[4:8, 20:30, 72:82] = 1, 2
    write_volume(tmp_path / "segments.zarr", segments, VOXEL_NM)
    aside = {"row": {"segmentation": str(tmp_path / "segments.zarr")}, "max_failed_fraction": 1}
    return aside, Typing(working_nm=20, orphan_min_um3=0.0001).model_dump()


@pytest.mark.parametrize(("step", "kinds"), [("measure", {1: "orphan"}), ("pieces", {1: "orphan", 2: "orphan"})])
def test_a_cuboid_that_cannot_be_measured_takes_nothing_but_its_own(tmp_path, monkeypatch, type_segments, step, kinds):
    aside, settings = two_pieces(tmp_path)
    module, name = {"measure": (measure, "measure"), "pieces": (pieces, "find_pieces")}[step]
    right = getattr(module, name)

    def fails(read, block, *more):
        if block.start[2] == 64 // 2:
            raise ValueError("is to fail")
        return right(read, block, *more)

    monkeypatch.setattr(module, name, fails)
    table = read_table(type_segments([], aside, settings, failing=step))
    assert table.set_index("segment")["kind"].to_dict() == kinds
    failures = read_table(tmp_path / f"{step}_failures.parquet")
    assert failures["unit"].tolist() == ["0-0-32"] and "is to fail" in failures["reason"].iloc[0]


@contextmanager
def full_disk():
    """Writing more than 100 bytes to any file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # without a handler the signal would end the process
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_ends_a_shard_of_contacts_and_the_next_run_finishes_it(tmp_path, finish):
    rng = np.random.default_rng(0)
    labels, membrane = rng.integers(1, 50, SHAPE).astype(np.uint64), rng.random(SHAPE, np.float32)

    def write(name, path):
        save_contacts(path, find_contacts(labels, membrane, VOXEL_NM))

    def write_to_full_disk(name, path):
        try:
            with full_disk():
                write(name, path)
        except OSError as error:
            raise OSError(errno.ENOSPC, "No space left on device") from error

    with pytest.raises(OSError, match="No space left") as caught:
        finish("contacts", write_to_full_disk)
    assert "File too large" in str(caught.value.__cause__)
    assert not (tmp_path / "contacts.parquet").exists() and not list((tmp_path / "units").rglob("*.npz"))
    assert len(read_table(finish("contacts", write))) == 3


def test_a_full_disk_leaves_no_superpixels_and_the_next_run_makes_them(tmp_path, segment, finished_basins, run_script):
    whole = open_labels(segment()["superpixels"])[:]
    done, made = [finished_basins("again")], {"superpixels": str(tmp_path / "later.zarr")}
    aside = {"row": {"membrane": str(tmp_path / "membrane.zarr")}}
    # several chunks are written at once, and the first to fail may do so on what another one could not begin
    with full_disk(), pytest.raises(OSError, match=r"File too large|No such file"):
        run_script("linking_watershed", {"done": done}, made, aside, voxel_nm=None, cuboid=CUBOID)
    assert not Path(made["superpixels"]).exists()
    run_script("linking_watershed", {"done": done}, made, aside, voxel_nm=None, cuboid=CUBOID)
    np.testing.assert_array_equal(open_labels(made["superpixels"])[:], whole)


FOREST = str(SCRIPTS.parent / "workflow" / "models" / "typing.skops")


@pytest.mark.parametrize(("forest", "by_shape"), [(None, False), (FOREST, False), (FOREST, True)])
def test_a_volume_of_which_nothing_is_known_has_empty_tables(segment, type_segments, forest, by_shape):
    every = [block.name for block in cuboids(SHAPE, CUBOID)]
    files = segment(basins=every)
    assert len(read_table(files["gaps"])) == len(every) and read_table(files["tree"]).empty
    aside = {"row": {"segmentation": files["segments"]}, "model": forest}
    table = read_table(type_segments(files["gaps"], aside, Typing().model_dump(), by_shape))
    assert table.empty and {"segment", "kind", "on_edge"} <= set(table.columns)


def test_what_was_found_before_answers_is_copied_only_where_it_is_whole(tmp_path, run_script, finish):
    parts = finish("synapses_detect", lambda name, path: path.write_bytes(name.encode()))
    (tmp_path / "judge.json").write_text(json.dumps({"judge": None, "network": ["another"]}))
    given = {"judge": str(tmp_path / "judge.json"), "parts": parts}
    made = {name: str(tmp_path / f"again_{name}.parquet") for name in ("done", "failures")}
    run_script("review_detect_synapses", given, made)
    assert read_table(made["done"]).equals(read_table(parts)) and read_table(made["failures"]).empty
    Path(read_table(parts)["file"].iloc[1]).write_bytes(b"damaged")
    with pytest.raises(DamagedError):
        run_script("review_detect_synapses", given, made)
    # so that the next run looks through that cuboid again
    assert not Path(parts).exists()


def test_a_dendrite_that_may_lack_a_piece_has_no_mesh(tmp_path, run_script, finish):
    labels = np.zeros(SHAPE, np.uint64)
    labels[4:12, 4:16, :], labels[4:12, 24:40, 68:] = 2**40, 7
    write_volume(tmp_path / "segments.zarr", labels, VOXEL_NM)
    thinned, stride = labels[:, ::2, ::2], (1, 2, 2)
    typing = measure_segments(thinned, VOXEL_NM, stride).assign(kind="shaft")
    bridges = pd.DataFrame(columns=["volume", "orphan", "shaft", *PLACES])
    given = {"typing": str(tmp_path / "typing.parquet"), "bridges": str(tmp_path / "bridges.parquet"), "synapses": []}
    write_table(typing, given["typing"])
    write_table(bridges, given["bridges"])
    shafts, size = meshed_dendrites(typing, bridges, 0.0), (20.0, 20.0, 20.0)
    blocks = {block.name: block for block in cuboids(thinned.shape, (16, 24, 16))}

    def compute(name, path):
        pieces, segments = dendrite_pieces(
            lambda box: thinned[box], blocks[name], thinned.shape, bridges, shafts, size, 60.0
        )
        save_pieces(path, pieces, segments=segments)

    settings = {"voxel_nm": None, "working_nm": 20.0, "cuboid": CUBOID, "min_thickest_nm": 0.0, "error_nm": 20.0}
    aside = {"row": {"segmentation": str(tmp_path / "segments.zarr")}}
    for failed, meshed in (([], ["7", str(2**40)]), (["0-0-16"], ["7"])):
        pieces = finish(f"dendrites{len(failed)}", compute, *failed, blocks=list(blocks))
        folder = tmp_path / f"meshes{len(failed)}"
        made = {"folder": str(folder)}
        run_script("linking_meshes", given | {"pieces": [pieces], "gaps": []}, made, aside, **settings)
        assert read_table(folder / "neurons.tsv")["neuron"].astype(str).tolist() == meshed


def test_a_cuboid_without_synapses_known_is_a_gap_in_blocks_objects_and_scores(tmp_path, run_script, finish):
    labels = np.zeros(SHAPE, np.uint32)
    for number, x in enumerate((5, 24, 40, 70), start=1):
        labels[4:8, 10:20, x : x + 10] = number
    write_volume(tmp_path / "labels.zarr", labels, VOXEL_NM)
    blocks = {block.name: block for block in cuboids(SHAPE, CUBOID)}

    def find(name, path):
        save_parts(path, find_parts(labels[blocks[name].core], None, blocks[name].start, SHAPE))

    # the second cuboid was never searched: it holds the third object and the rest of the second
    parts = finish("synapses_detect", find, "0-0-32")
    row = {"synapses": str(tmp_path / "labels.zarr"), "image": None, "mask": None, "voxel_nm": None}
    names = {"objects": "merged.parquet", "ids/0": "ids.npz", "labels": "out.zarr", "gaps": "v.parquet"}
    names["candidates"] = "merged_candidates.parquet"
    merged = {name: str(tmp_path / file) for name, file in names.items()}
    settings = {"cuboid": CUBOID, "voxel_nm": None}
    run_script("synapses_merge", {"parts": [parts]}, merged, {"row": row}, rules={"connectivity": 18}, **settings)
    assert read_table(merged["gaps"])[["x0", "x1"]].to_numpy().tolist() == [[32, 64]]
    counted = {"done": str(tmp_path / "counted.parquet"), "failures": str(tmp_path / "failures.parquet")}
    given = {"parts": parts, "ids": merged["ids/0"], "labels": merged["labels"], "mask": []}
    settings["block_um"] = [0.32, 0.48, 0.32]
    run_script("synapses_density", given, counted, {"row": row}, **settings)
    assert read_table(counted["failures"]).empty
    made = {name: str(tmp_path / f"all_{name}.parquet") for name in ("blocks", "objects", "gaps", "limits")}
    given = {"counts/v/0": counted["done"], "objects/v": merged["objects"], "labels/v": merged["labels"]}
    run_script("synapses_blocks", given, made, **settings, design={"columns": {}, "samples": {}})
    blocks, objects = read_table(made["blocks"]), read_table(made["objects"])
    # the second object reaches into the gap, so that its block is not known either
    assert blocks["known"].tolist() == [False, False, True]
    assert blocks["synapses"].isna().tolist() == [True, True, False] and blocks["synapses"].iloc[2] == 1
    assert objects["block"].tolist() == [0, -1, 2] and objects["reason"].tolist() == ["", CUT, ""]
    given = {"objects": made["objects"], "gaps": made["gaps"], "labels/v": merged["labels"], "parts/v/0": parts}
    scored = {"scores": str(tmp_path / "evaluation.tsv"), "candidates": str(tmp_path / "candidates.parquet")}
    rows = {"v": {"truth_synapses": str(tmp_path / "labels.zarr"), "voxel_nm": None}}
    aside = {"rows": rows, "model": SCRIPTS.parent / "workflow" / "models" / "synapses.safetensors"}
    run_script("synapses_evaluate", given, scored, aside, cuboid=CUBOID, connectivity=18, seed=0)
    scores = read_table(scored["scores"]).set_index("metric")
    assert scores.loc[["precision", "recall"], "value"].tolist() == [1, 1]
    assert scores.loc["not_known", ["value", "n"]].tolist() == [2, 4]
