"""What becomes of volumes where a network that learned from answers is taken: scripts, one after another."""

import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from snakemake.iocontainers import InputFiles, Log, OutputFiles, Params, Wildcards

from spinome import configuration
from spinome.cuboids import cuboids
from spinome.io.tables import read_table
from spinome.io.volumes import Volume, open_labels, write_volume
from spinome.review.answers import Answers
from spinome.review.held_out import Verdict
from spinome.synapses.classifiers import load_card
from spinome.synapses.classify import Evidence
from spinome.synapses.grey import measure_grey, write_grey
from spinome.synapses.network.unet import Network, UNet, save_network
from spinome.synapses.objects.patches import find_parts, save_parts
from spinome.workflow import step
from spinome.workflow.shards import Unit, run_shard

SCRIPTS = Path(__file__).parents[2] / "scripts"
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
