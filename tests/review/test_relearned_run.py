"""What becomes of volumes and stacks where a network that learned from answers is taken: scripts, one after another."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from spinome import configuration
from spinome.cuboids import cuboids
from spinome.io.models import Model, save_model
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import STACK, Volume, open_labels, write_volume
from spinome.review.answers import Answers
from spinome.review.held_out import Verdict
from spinome.review.learn import LEAST_FOR_DETECTOR
from spinome.synapses.classifiers import load_card
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey, write_grey
from spinome.synapses.network.unet import Network, UNet, save_network
from spinome.synapses.objects.patches import find_parts, save_parts
from spinome.twophoton.depth import ESTIMATES
from spinome.twophoton.depth_track import SPINE_COLUMNS
from spinome.twophoton.detect import BOX_COLUMNS
from spinome.twophoton.detector import Detector, load_detector, save_detector
from spinome.twophoton.judge import FEATURES, train_judge
from spinome.workflow import step
from spinome.workflow.shards import Unit, run_shard

SCRIPTS = Path(__file__).parents[2] / "scripts"
DETECTOR = SCRIPTS.parent / "workflow" / "models" / "detector.safetensors"
SHAPE, CUBOID, VOXEL_NM = (8, 512, 512), (8, 256, 512), (40.0, 8.0, 8.0)
EDGE = (4, 32, 32)
CORNERS = [(2, y, x) for y in range(48, 512, 128) for x in range(48, 512, 128)]
# the volume that nobody answered about is the first one of the sheet
SILENT, ANSWERED = "a_silent", "b_answered"


@pytest.fixture
def run_script(tmp_path, monkeypatch):
    """A function that runs a script as its rule does, for a volume."""
    # a script has its process for itself
    monkeypatch.setattr(step, "log_to", lambda log, asked: None)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def run(name, volume, given, made, aside, **params):
        snakemake = SimpleNamespace(
            input=InputFiles(fromdict=given),
            output=OutputFiles(fromdict={key: str(tmp_path / file) for key, file in made.items()}),
            params=Params(fromdict=params | {"aside": SimpleNamespace(**aside)}),
            wildcards=Wildcards(fromdict={"volume": volume, "shard": "0"}),
            log=Log(fromdict={"log": str(tmp_path / "logs" / name / "v.log")}),
            rule=name,
            threads=1,
            config={"results": str(tmp_path), "resources": "resources"},
        )
        runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": snakemake})

    return run


def found_before(folder, name):
    """A volume with its grey values, a network of its own, and the blocks that this one is said to have found."""
    image = np.random.default_rng(0).normal(140, 20, SHAPE).clip(0, 255).astype(np.uint8)
    volume = Volume(image, VOXEL_NM, name)
    write_volume(folder / f"{name}.zarr", image, VOXEL_NM, kind="image")
    grey = measure_grey(volume)
    write_grey(folder / f"{name}.json", grey)
    net = UNet().eval()
    # so that it finds all in one where it is used
    net.head.bias.data += 20
    card = {"kind": "network", "pixel_nm": 8.0, "threshold": 0.5, "min_volume_um3": 0.0, "min_peak": 0.0}
    save_network(folder / f"{name}.safetensors", Network(net, card | {"moved": 0.1 if name == SILENT else 0.2}))
    found = np.zeros(SHAPE, np.float32)
    for corner in CORNERS:
        found[tuple(slice(low, low + length) for low, length in zip(corner, EDGE))] = 0.6
    blocks = {block.name: block for block in cuboids(SHAPE, CUBOID)}

    def find(unit, path):
        block = blocks[unit.name]
        own = found[block.core]
        save_parts(path, find_parts((own > 0.5).astype(np.uint8), own, block.start, SHAPE, Evidence(volume, grey)))

    done = folder / f"{name}.parquet"
    places = {"store": folder / "units" / name, "done": done, "failures": folder / f"{name}_failures.parquet"}
    run_shard([Unit(block) for block in blocks], find, step="synapses_detect", suffix=".npz", key="", **places)
    return str(done)


@pytest.mark.slow
def test_volumes_that_nobody_answered_about_keep_what_was_found(tmp_path, monkeypatch, run_script):
    parts = {name: found_before(tmp_path, name) for name in (SILENT, ANSWERED)}
    rows = {name: {"image": str(tmp_path / f"{name}.zarr"), "synapses": None, "voxel_nm": None} for name in parts}
    models = {name: str(tmp_path / f"{name}.safetensors") for name in parts}
    greys = {name: str(tmp_path / f"{name}.json") for name in parts}
    answers = Answers(tmp_path / "answers.parquet")
    said = {"kind": "synapse", "unit": ANSWERED, "who": "ann", "drawn": "active"}
    for number, corner in enumerate(CORNERS):
        middle = (np.array(corner) + np.array(EDGE) / 2) * VOXEL_NM / 1000
        answer = "synapse" if number % 3 else "no synapse"
        answers.append(said | dict(zip(("z_um", "y_um", "x_um"), middle.tolist())) | {"answer": answer})
    monkeypatch.setattr("spinome.review.learn_network.FEW_STEPS", 2)
    better = Verdict(6, 1.0, 0.1, 0.5, 0.9)
    monkeypatch.setattr("spinome.review.ways.compare", lambda *compared: better)
    merging = configuration.complete({})["synapses"]["merge"]
    rules = {key: value for key, value in merging.items() if key != "threshold"}
    given = {f"model/{name}": file for name, file in models.items()}
    given |= {f"grey/{name}": file for name, file in greys.items()}
    given |= {f"parts/{name}/0": file for name, file in parts.items()}
    learned = {"judge": "judge.json", "network": "network.safetensors", "scores": "scores.tsv"}
    aside = {"rows": rows, "model": None, "answers": str(answers.folder)}
    settings = {"cuboid": CUBOID, "rules": rules, "relearns": True, "seed": 0, "code": "code"}
    run_script("review_learn_synapses", "", given, learned, aside, **settings)
    judge, network = str(tmp_path / "judge.json"), str(tmp_path / "network.safetensors")
    assert json.loads(Path(judge).read_text())["network"] == [ANSWERED]
    # checkpoints are gone with what they were for
    assert not (tmp_path / "units" / "review_learn_synapses").exists()
    # it began with the network of the volume with the answers
    assert load_card(network)["taught_by"]["moved"] == 0.2
    objects = {}
    for name in parts:
        given = {"grey": greys[name], "judge": judge, "model": network, "parts": parts[name]}
        again = {"done": f"again/{name}.parquet", "failures": f"again/{name}_failures.parquet"}
        aside = {"row": rows[name]}
        run_script("review_detect_synapses", name, given, again, aside, cuboid=CUBOID, shards=1)
        given = {"parts": [str(tmp_path / again["done"])], "model": models[name], "learned": judge, "network": network}
        merged = {key: f"merge/{name}_{key}.parquet" for key in ("objects", "candidates", "gaps")}
        merged |= {"labels": f"merge/{name}.zarr", "ids/0": f"merge/{name}.npz"}
        run_script("synapses_merge", name, given, merged, aside, cuboid=CUBOID, rules=rules, voxel_nm=None)
        objects[name] = read_table(tmp_path / merged["objects"])
        assert open_labels(tmp_path / merged["labels"]).shape == SHAPE
    assert len(objects[SILENT]) == len(CORNERS)
    assert objects[ANSWERED]["voxels"].tolist() == [np.prod(SHAPE)]


def test_stacks_are_looked_through_again_only_where_a_detector_learned(tmp_path, run_script):
    voxels = np.random.default_rng(0).gamma(1, 20, (6, 64, 96)).astype(np.uint16)
    voxels[:, 28:34] += 300
    voxels[2:5, 20:26, 40:46] += 200
    write_volume(tmp_path / "stack.zarr", voxels, (1000.0, 120.0, 120.0), kind="image", space=STACK)
    before = pd.DataFrame({"candidate": [7], "score": [0.5]})
    for name in ("boxes", "spines"):
        write_table(before.assign(what=name), tmp_path / f"{name}.parquet")
    given = {name: str(tmp_path / f"{name}.parquet") for name in ("boxes", "spines")}
    given |= {"stack": str(tmp_path / "stack.zarr"), "model": str(tmp_path / "none.safetensors")}
    Path(given["model"]).touch()
    made = {"boxes": "again/boxes.parquet", "spines": "again/spines.parquet"}
    run_script("review_detect", "", given, made, {}, gap_slices=1)
    for name, file in made.items():
        assert read_table(tmp_path / file).equals(read_table(given[name]))
    # one that finds a spine wherever it looks
    model = Detector().eval()
    model.heat.bias.data += 8
    save_detector(tmp_path / "new.safetensors", model, {})
    run_script("review_detect", "", given | {"model": str(tmp_path / "new.safetensors")}, made, {}, gap_slices=1)
    boxes, spines = (read_table(tmp_path / file) for file in made.values())
    assert len(boxes) > 1 and list(spines) == SPINE_COLUMNS
    assert set(boxes["candidate"]) - {-1} == set(spines["candidate"])


@pytest.mark.slow
def test_a_detector_that_learned_is_written_with_its_card_and_checkpoints_are_gone(tmp_path, monkeypatch, run_script):
    rng, count = np.random.default_rng(0), LEAST_FOR_DETECTOR + 10
    voxels = rng.normal(100, 3, (12, 200, 400)).astype(np.uint16)
    write_volume(tmp_path / "stack.ome.zarr", voxels, (1000.0, 120.0, 120.0), kind="image", space=STACK)
    place = {"y_um": 4.0 + 3.0 * (np.arange(count) // 10), "x_um": 4.0 + 4.0 * (np.arange(count) % 10)}
    rows = pd.DataFrame(dict.fromkeys(SPINE_COLUMNS, 0.0), index=range(count))
    rows = rows.assign(candidate=range(count), given=False, score=0.9, z_slice=5.0, z_um=5.0, **place)
    write_table(rows.assign(slices=3, side_um=1.0, first_slice=4, last_slice=6), tmp_path / "candidates.parquet")
    boxes = pd.concat([rows.assign(slice=z, side_um=1.0) for z in (4, 5, 6)], ignore_index=True)
    write_table(boxes[[*BOX_COLUMNS, "candidate"]], tmp_path / "boxes.parquet")
    judge, threshold, _ = train_judge(
        rng.normal(size=(60, len(FEATURES))), np.arange(60) % 2 == 0, np.arange(60) // 6, 30
    )
    depth = {"depth": [0.0] * (len(ESTIMATES) + 1), "threshold": threshold}
    save_model(tmp_path / "old.skops", Model(judge, FEATURES, depth))
    answers = Answers(tmp_path / "answers.parquet")
    said = {"kind": "spine", "unit": "m.f.0", "who": "ann", "drawn": "random", "z_um": 5.0}
    for number, (y, x) in enumerate(zip(place["y_um"], place["x_um"])):
        answers.append(said | {"y_um": y, "x_um": x, "answer": "no spine" if number % 3 else "spine"})
    monkeypatch.setattr("spinome.review.learn_detector.STEPS", 1)
    monkeypatch.setattr("spinome.twophoton.train.BATCH", 1)
    monkeypatch.setattr("spinome.review.ways.compare", lambda *compared: Verdict(6, 1.0, 0.1, 0.5, 0.9))
    given = {"stacks/a": "stack.ome.zarr", "candidates/a": "candidates.parquet", "boxes/a": "boxes.parquet"}
    given = {name: str(tmp_path / file) for name, file in given.items()}
    made = {"model": "new.skops", "detector": "new.safetensors", "scores": "scores.tsv"}
    aside = {"model": tmp_path / "old.skops", "detector": DETECTOR, "answers": answers.folder}
    each = {"a": {"specimen": "m", "field": "f", "timepoint": "0", "series": "m.f"}}
    settings = {"each": each, "gap_slices": 1, "seed": 0, "code": "code"}
    aside = {name: str(file) for name, file in aside.items()}
    run_script("review_learn", "", given, made, aside, **settings)
    scores = read_table(tmp_path / "scores.tsv")
    assert scores.loc[0, "taken"] and scores.loc[0, "learned"].startswith("detector")
    _, facts = load_detector(tmp_path / "new.safetensors")
    assert facts["learned_from_answers"]["people"] == "ann"
    assert facts["taught_by"] == load_detector(DETECTOR)[1] and facts["threshold"] == facts["taught_by"]["threshold"]
    assert not (tmp_path / "units" / "review_learn").exists()
