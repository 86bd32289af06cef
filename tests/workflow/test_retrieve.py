"""Sources that cannot be retrieved, as a user meets them: one clear message each, and nothing left that misleads."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import torch
import trimesh
import yaml

from spinome.synapses.network.published import PublishedNet
from spinome.synapses.network.unet import load_network
from synapse_weights import their_name

CONTENT = b"whole"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


@pytest.fixture
def retrieve(hostile, snakemake, tmp_path):
    """A function that asks the workflow for sources of the configuration and gives what it says."""
    (tmp_path / "neurons.tsv").write_text(f"neuron\tmesh\nm\t{hostile.url}/mesh::7\n")
    limits = {"max_gb": 0.002, "max_mesh_gb": 0.002, "patience_s": 0.5, "min_kb_per_s": 20, "attempts": 2}

    def run(*targets, models=None, **sources):
        content = {"samples": {"neurons": "neurons.tsv"}, "retrieve": {**sources, "limits": limits}}
        content |= {"models": models or {}, "neurons": {"shards": 1}}
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
        options = ("--configfile", tmp_path / "config.yaml", "--cores", "2", "--keep-going", "--show-failed-logs")
        return snakemake(tmp_path, *options, "--", *targets)

    return run


@pytest.mark.slow
def test_sources_that_cannot_be_retrieved(hostile, retrieve, tmp_path):
    entry = {"key": "a.csv", "checksum": MD5, "links": {"self": f"{hostile.url}/whole"}}
    records = {
        "good": [entry],
        "outside": [{**entry, "key": "../../../outside.csv"}],
        "unchecked": [{key: value for key, value in entry.items() if key != "checksum"}],
        "empty": [],
    }

    def behave(request):
        kind = request.path.rpartition("/")[2]
        if kind in records:
            return request.answer(json.dumps({"files": records[kind]}).encode())
        if kind == "whole":
            return request.answer(CONTENT)
        request.answer(length=False)
        request.for_ever(b"x", pause=0.02) if kind == "slow" else request.for_ever(b"x" * 65536)

    hostile.behave = behave
    files = {name: {"url": f"{hostile.url}/{name}", "checksum": MD5} for name in ("whole", "slow", "endless")}
    targets = [f"resources/public/{name}" for name in (*files, *records)]
    run = retrieve(
        *targets,
        "results/retrieve/mesh/0.parquet",
        files=files,
        records={name: f"{hostile.url}/{name}" for name in records},
    )
    assert run.returncode == 1
    for words in [
        "/endless: is larger than 0.002 GB, the most that is retrieved",
        "/slow: out of reach after 2 attempts (only",
        "/outside: cannot be taken as the description of a Zenodo record: '../../../outside.csv'",
        "/unchecked: states no checksum for a.csv that can be used",
        "/empty: the record has no file",
    ]:
        assert words in run.stdout, run.stdout
    # one neuron that cannot be had is not the end of the others
    (failed,) = pd.read_parquet(tmp_path / "results" / "failures" / "retrieve_mesh" / "0.parquet").itertuples()
    assert failed.unit == "m" and "/mesh/info: is larger than 0.002 GB" in failed.reason
    assert "Traceback" not in run.stdout
    resources = tmp_path / "resources"
    found = {str(path.relative_to(resources)) for path in resources.rglob("*") if path.is_file()}
    assert not list(resources.glob("units/retrieve_mesh/*/*"))
    assert found - {"public/good/.snakemake_timestamp"} == {"public/whole", "public/good/a.csv"}
    assert not list(tmp_path.parent.rglob("outside.csv"))


def fragment(number):
    """A box in the format of Neuroglancer's meshes of one resolution."""
    box = trimesh.creation.box(extents=(4000, 4000, 4000 + number)).subdivide()
    count = np.uint32(len(box.vertices)).tobytes()
    return count + box.vertices.astype("<f4").tobytes() + box.faces.astype("<u4").tobytes()


@pytest.mark.slow
def test_meshes_are_fetched_in_shards_from_a_server_that_fails_now_and_then(hostile, snakemake, tmp_path):
    """A request that fails is made again; a neuron that is never there fails alone, and the next run asks for it."""
    lacking, first = {"5"}, set()

    def behave(request):
        name = request.path.rpartition("/")[2]
        if name == "info":
            return request.answer(b'{"@type": "neuroglancer_legacy_mesh"}')
        if name not in first and number(name) % 3 == 0:
            first.add(name)
            return request.answer(status="503 Service Unavailable")
        if name.partition(":")[0] in lacking:
            return request.answer(status="404 Not Found")
        if name.endswith(":0:0"):
            return request.answer(fragment(number(name)))
        request.answer(json.dumps({"fragments": [f"{name}:0"]}).encode())

    def number(name):
        return int(name.partition(":")[0])

    hostile.behave = behave
    rows = [f"n{name}\t{hostile.url}/mesh::{name}" for name in range(12)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    content = {
        "samples": {"neurons": "neurons.tsv"},
        "neurons": {"shards": 1},
        "retrieve": {"limits": {"patience_s": 5, "attempts": 3}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))

    def run(*arguments):
        found = snakemake(tmp_path, *arguments, "--configfile", tmp_path / "config.yaml", "--cores", "1")
        assert found.returncode == 0, found.stdout
        results = tmp_path / "results"
        failed = pd.read_parquet(results / "failures" / "retrieve_mesh" / "0.parquet")
        return sorted(pd.read_parquet(results / "retrieve" / "mesh" / "0.parquet")["unit"]), failed

    done, failed = run("results/retrieve/mesh/0.parquet")
    assert done == sorted(f"n{name}" for name in range(12) if name != 5)
    assert sorted(path.stem for path in (tmp_path / "resources" / "meshes").iterdir()) == done
    assert failed["unit"].tolist() == ["n5"] and "has no mesh 5" in failed["reason"].iloc[0]
    # it is there now, and nothing else is fetched again; the step after takes all of them
    lacking.clear()
    before = len(hostile.asked)
    done, failed = run("results/neurons/simplify/0.parquet", "--forcerun", "retrieve_mesh")
    assert len(done) == 12 and failed.empty
    asked = {request.path.rpartition("/")[2] for request in hostile.asked[before:]} - {"info"}
    assert asked == {"5:0", "5:0:0"}
    assert len(pd.read_parquet(tmp_path / "results" / "neurons" / "simplify" / "0.parquet")) == 12


@pytest.mark.slow
def test_meshes_of_a_shard_from_a_server_that_answers_garbage_stops_midway_or_never_ends(hostile, snakemake, tmp_path):
    """Those alone fail, each with its reason; the steps after go on with the others, and the next run asks again."""
    faults = {
        1: "the manifest 1:0 cannot be used",
        2: "2:0:0",
        3: "3:0:0: out of reach after 2 attempts",
        4: "4:0:0: out of reach after 2 attempts (only",
        5: "5:0:0: is larger than 0.002 GB",
        6: "6:0: out of reach after 2 attempts",
    }
    broken = set(faults)

    def behave(request):
        name = request.path.rpartition("/")[2]
        if name == "info":
            return request.answer(b'{"@type": "neuroglancer_legacy_mesh"}')
        neuron, is_manifest = int(name.partition(":")[0]), not name.endswith(":0:0")
        content = json.dumps({"fragments": [f"{name}:0"]}).encode() if is_manifest else fragment(neuron)
        fault = neuron if neuron in broken and is_manifest == (neuron in (1, 6)) else None
        match fault:
            case 1 | 2:
                return request.answer(np.random.default_rng(neuron).bytes(1000))
            case 3:
                return request.answer(content[: len(content) // 2], length=len(content))
            case 4 | 5:
                request.answer(length=False)
                return request.for_ever(b"x" if fault == 4 else b"x" * 65536, pause=0.02 if fault == 4 else 0)
            case 6:
                return request.pause(60)
        request.answer(content)

    hostile.behave = behave
    rows = [f"n{name}\t{hostile.url}/mesh::{name}" for name in range(12)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")
    limits = {"max_mesh_gb": 0.002, "patience_s": 0.5, "min_kb_per_s": 20, "attempts": 2}
    content = {"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": 1}, "retrieve": {"limits": limits}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    results, simplified = tmp_path / "results", "results/neurons/simplify/0.parquet"

    def run():
        targets = simplified, "results/failures/retrieve_mesh/0.parquet"
        found = snakemake(tmp_path, "--configfile", tmp_path / "config.yaml", "--cores", "1", "--", *targets)
        return found, sorted(pd.read_parquet(tmp_path / simplified)["unit"])

    first, done = run()
    assert done == sorted(f"n{name}" for name in range(12) if name not in faults)
    assert first.returncode == 1 and "retrieve_mesh: 6 of 12 units are missing" in first.stdout, first.stdout
    log = (results / "logs" / "retrieve_mesh" / "0.log").read_text()
    assert not [words for words in faults.values() if words not in log], log
    # so many failed that they are tried again, and nothing else is
    before = len(hostile.asked)
    broken.clear()
    second, done = run()
    assert second.returncode == 0 and len(done) == 12, second.stdout
    assert pd.read_parquet(results / "failures" / "retrieve_mesh" / "0.parquet").empty
    asked = {request.path.rpartition("/")[2].partition(":")[0] for request in hostile.asked[before:]} - {"info"}
    assert asked == {str(name) for name in faults}


def cell(number):
    """A capsule with a knob on its side, in the format of Neuroglancer's meshes of one resolution."""
    shaft = trimesh.creation.capsule(height=4000 + 100 * number, radius=400, count=[16, 24])
    knob = trimesh.creation.icosphere(subdivisions=2, radius=300).apply_translation([600, 0, 1500])
    mesh = trimesh.util.concatenate([shaft, knob])
    count = np.uint32(len(mesh.vertices)).tobytes()
    return count + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()


@pytest.fixture
def lending(hostile, snakemake, tmp_path):
    """Run the workflow on meshes from the server; gives what it says, and the neurons whose meshes it asked for.

    `lending.cells` are served by number, `lending.rows` are those of the sheet.
    """

    def behave(request):
        name = request.path.rpartition("/")[2]
        number = int(name.partition(":")[0]) if ":" in name else 0
        if name == "info":
            request.answer(b'{"@type": "neuroglancer_legacy_mesh"}')
        elif number not in run.cells:
            request.answer(status="404 Not Found")
        elif name.endswith(":0:0"):
            request.answer(run.cells[number])
        else:
            request.answer(json.dumps({"fragments": [f"{name}:0"]}).encode())

    def run(*options, keep_fetched=False, results="lent", fails=False, targets=(), **neurons):
        rows = [f"n{name}\t{hostile.url}/mesh::{name}\tsynapses.tsv" for name in run.rows]
        (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh\tsynapses", *rows]) + "\n")
        keys = {"shards": 1, "keep": "condensed", "keep_fetched": keep_fetched} | neurons
        content = {"samples": {"neurons": "neurons.tsv"}, "results": results, "resources": f"{results}_resources"}
        content["max_failed_fraction"] = 0.9
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(content | {"neurons": keys}))
        before = len(hostile.asked)
        targets = [f"{results}/neurons/{target}/0.parquet" for target in targets] or ["neurons"]
        options = ("--configfile", tmp_path / "config.yaml", "--cores", "1", "--show-failed-logs", *options)
        done = snakemake(tmp_path, *options, "--", *targets)
        assert (done.returncode != 0) == fails, done.stdout
        paths = [request.path.rpartition("/")[2] for request in hostile.asked[before:]]
        return done.stdout, sorted(int(path.partition(":")[0]) for path in paths if path.endswith(":0:0"))

    hostile.behave = behave
    run.cells, run.rows = {name: cell(name) for name in (1, 2, 3, 4)}, [1, 2, 3, 9]
    points = (
        ["id", *(f"ctr_pt_position_{axis}" for axis in "xyz")],
        *([number, 900, 0, 1500 + number] for number in range(3)),
    )
    (tmp_path / "synapses.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in points))
    return run


def held(folder):
    """The meshes from addresses below a folder, under whatever name."""
    return sorted(path for path in folder.rglob("*.npz") if {"retrieve_mesh", "meshes"} & set(path.parts))


@pytest.mark.slow
def test_meshes_that_need_not_stay_go_and_are_fetched_again_where_they_are_needed(lending, tmp_path):
    _, asked = lending(keep_fetched=True, results="kept")
    assert asked == [1, 2, 3] and len(held(tmp_path / "kept_resources")) == 6
    lending()
    assert not held(tmp_path / "lent") and not held(tmp_path / "lent_resources")
    for table in ("synapses", "spines", "neurons"):
        kept, lent = (pd.read_parquet(tmp_path / name / "neurons" / f"{table}.parquet") for name in ("kept", "lent"))
        pd.testing.assert_frame_equal(kept, lent)
        assert len(lent) >= 3
    left = sorted((tmp_path / "lent" / "units" / "retrieve_mesh").glob("*/*"))
    vertices = trimesh.creation.capsule(height=1, radius=1, count=[16, 24]).vertices.shape[0] + 162
    assert [file.suffix for file in left] == [".spent"] * 3 and all(file.read_text() == str(vertices) for file in left)
    # which the plan knows
    said, _ = lending("--dry-run")
    assert "Nothing to be done" in said
    said, _ = lending("--dry-run", spines={"min_area_um2": 0.1})
    assert "rule neurons_spines" in said and "fetches=1" in said
    assert not any(f"rule {step}" in said for step in ("retrieve_mesh", "neurons_simplify", "neurons_condense"))
    # what begins with condensed features needs no mesh; a change before them needs each once, and none stays
    assert lending("--forcerun", "neurons_classify", targets=["classify"])[1] == []
    assert lending(targets=["synapses"], condense={"distance": 2.0})[1] == [1, 2, 3]
    assert not held(tmp_path / "lent")
    assert lending(targets=["synapses"], condense={"distance": 2.0}, spines={"min_area_um2": 0.1})[1] == [1, 2, 3]
    # a new neuron is fetched alone
    lending.rows = [1, 2, 3, 4, 9]
    changed = {"condense": {"distance": 2.0}, "spines": {"min_area_um2": 0.1}}
    assert lending(targets=["synapses"], **changed)[1] == [4]
    assert not held(tmp_path / "lent")
    failed = pd.read_parquet(tmp_path / "lent" / "failures" / "retrieve_mesh" / "0.parquet")
    assert failed["unit"].tolist() == ["n9"] and "has no mesh 9" in failed["reason"].iloc[0]
    # a server that is gone, and then has other meshes
    cells, lending.cells = lending.cells, {}
    lending(targets=["synapses"], **changed | {"condense": {"distance": 2.5}})
    failed = pd.read_parquet(tmp_path / "lent" / "failures" / "neurons_simplify" / "0.parquet")
    assert sorted(failed["unit"]) == ["n1", "n2", "n3", "n4"] and "has no mesh" in failed["reason"].iloc[0]
    lending.cells = cells | {2: cell(7)}
    said, _ = lending(targets=["synapses"], fails=True, **changed | {"condense": {"distance": 3.0}})
    assert "mesh::2 gives another mesh than before; run again" in said
    assert 2 in lending(targets=["synapses"], **changed | {"condense": {"distance": 3.0}})[1]
    assert len(pd.read_parquet(tmp_path / "lent" / "neurons" / "synapses" / "0.parquet")) == 4
    assert not held(tmp_path / "lent")


@pytest.mark.slow
def test_where_all_steps_are_kept_coloured_meshes_are_written_before_meshes_go(lending, tmp_path):
    _, asked = lending(keep="all")
    # figures are drawn before or after
    assert set(asked) == {1, 2, 3} and asked.count(1) < 3
    assert not held(tmp_path / "lent") and not held(tmp_path / "lent_resources")
    assert len(list((tmp_path / "lent" / "neurons" / "exchange").glob("*/mesh.ply"))) == 3


@pytest.mark.slow
def test_a_network_that_is_named_by_its_address(hostile, retrieve, tmp_path):
    """Fetched, held against its checksum and translated; what is no such network is told, and what has another sum."""
    torch.manual_seed(0)
    named = {their_name(name): value for name, value in PublishedNet().state_dict().items()}
    torch.save({name: value for name, value in named.items() if "num_batches" not in name}, tmp_path / "net")
    content = {"net": (tmp_path / "net").read_bytes(), "other": CONTENT}
    hostile.behave = lambda request: request.answer(content[request.path.strip("/")])
    made = "results/models/synapses_published.safetensors"

    def ask(name, sha256):
        return retrieve(made, models={"synapses": {"address": f"{hostile.url}/{name}", "sha256": sha256}})

    run = ask("net", "0" * 64)
    assert run.returncode == 1 and "what came is not the expected file" in run.stdout
    run = ask("other", hashlib.sha256(CONTENT).hexdigest())
    assert run.returncode == 1 and "does not hold the published synapse network that Spinome knows" in run.stdout
    run = ask("net", hashlib.sha256(content["net"]).hexdigest())
    assert run.returncode == 0, run.stdout
    assert load_network(tmp_path / made).card["threshold"] == 0.25


@pytest.mark.slow
def test_no_limit_is_a_reason_to_run_again(hostile, retrieve, snakemake, tmp_path):
    hostile.behave = lambda request: request.answer(CONTENT)
    files = {"whole": {"url": f"{hostile.url}/whole", "checksum": MD5}}
    assert retrieve("resources/public/whole", files=files).returncode == 0
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    config["retrieve"]["limits"] = {"attempts": 9}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    options = ("--configfile", tmp_path / "config.yaml", "--dry-run")
    assert "Nothing to be done" in snakemake(tmp_path, *options, "--", "resources/public/whole").stdout


def test_a_file_without_a_checksum_is_refused_when_the_workflow_is_parsed(hostile, retrieve):
    run = retrieve("resources/public/x", files={"x": {"url": f"{hostile.url}/x"}})
    assert run.returncode == 1 and "retrieve.files.x" in run.stdout
    assert "has no checksum; add `checksum: sha256:...`" in run.stdout
    assert not hostile.asked
