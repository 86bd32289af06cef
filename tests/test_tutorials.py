"""The code of the documentation's pages runs as it stands: Python, configurations and commands."""

import http.server
import os
import re
import subprocess
import sys
import threading
import types
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml

from spinome.configuration import complete
from spinome.io.napari import PROPERTIES, TRACKS
from spinome.neurons.pipeline import label_neuron

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    *sorted((REPOSITORY / "docs").glob("*.md")),
    *sorted((REPOSITORY / "workflow" / "models").glob("*.md")),
    REPOSITORY / "README.md",
    REPOSITORY / "config" / "introduction.md",
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# what a command needs to be there before it is planned; a plan looks at names alone
NEEDED = {
    "README.md": ["data/n1.ply", "data/n1_synapses.csv"],
    "judge.md": [f"resources/rr30a_upper/{name}" for name in ("spines.csv", "dendrites.csv")]
    + [f"resources/rr30a_upper/tp{number}.ome.tif" for number in range(6)],
    "synapses.md": [
        "resources/modelzoo_mouse/sample1_input.h5",
        "resources/modelzoo_mouse/sample2_input.h5",
        "resources/neuroproof_examples/training_sample2/grayscale_maps",
    ],
    "links.md": ["resources/pinky40/segmentation_z000-320.h5"]
    + [
        f"results/training_cuts/linking/detach/pinky40/{kind}_{draw}.{suffix}"
        for draw in range(1, 7)
        for kind, suffix in (("segmentation", "zarr"), ("truth_links", "parquet"), ("truth_types", "parquet"))
    ],
    "detector.md": ["resources/spinedetector/boxes.csv"],
}
NEURONS = "neuron\tmesh\nphantom\tresources/phantom/phantom/mesh.npz\n"
VOLUMES = "volume\timage\nphantom\tresources/phantom/phantom/em.zarr::image\n"
# tables and configurations that a page speaks of without showing them
WRITTEN = {
    "cluster.md": {"neurons.tsv": NEURONS, "my.yaml": "samples: {neurons: neurons.tsv}\n"},
    "linking.md": {"volumes.tsv": VOLUMES},
}


def blocks(page, language):
    """The blocks of code of a page in one language."""
    return [text for name, text in BLOCK.findall(page.read_text()) if name == language]


def pages_with(language):
    return pytest.mark.parametrize(
        "page",
        [page for page in PAGES if blocks(page, language)],
        ids=lambda page: page.relative_to(REPOSITORY).as_posix(),
    )


def run_blocks(page):
    """Run the Python of a page from top to bottom; returns the names it leaves."""
    names = {"MODELS": REPOSITORY / "workflow" / "models"}
    for block in blocks(REPOSITORY / "docs" / page, "python"):
        exec(compile(block, page, "exec"), names)
    return names


@pytest.fixture
def neuron(tmp_path, monkeypatch):
    """A folder with a mesh and three synapses on it, a fourth one far away."""
    mesh = trimesh.creation.capsule(height=8000.0, radius=600.0, count=[24, 24]).subdivide()
    mesh.export(tmp_path / "neuron.ply")
    points = np.concatenate([np.asarray(mesh.vertices)[::400][:3], [[1e6, 0, 0]]])
    table = pd.DataFrame(points, columns=[f"ctr_pt_position_{axis}" for axis in "xyz"])
    table.assign(id=range(4), pre_pt_root_id=7, post_pt_root_id=8).to_csv(tmp_path / "synapses.csv", index=False)
    monkeypatch.chdir(tmp_path)


def test_neurons(neuron):
    names = run_blocks("neurons.md")
    whole = names["neuron"]
    assert np.isfinite(names["signature"]).all()
    assert len(whole.vertices.probability) == len(names["mesh"].vertices)
    assert whole.synapses["tag"].notna().tolist() == [True, True, True, False]
    assert whole.synapses["reason"].notna().tolist() == [False, False, False, True]
    # one line does what the steps do
    pd.testing.assert_frame_equal(whole.synapses, names["table"])
    pd.testing.assert_frame_equal(whole.spines, names["spines"])
    assert np.array_equal(whole.vertices.spine, names["labelled"].spine)
    assert label_neuron(names["mesh"], names["forest"]).synapses is None


def test_architecture(monkeypatch):
    """The example of a step and its test."""
    step, test = blocks(REPOSITORY / "docs" / "architecture.md", "python")
    module, names = types.ModuleType("spinome.neurons.area"), {}
    exec(step, module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(test, names)
    names["test_the_area_of_a_triangle"]()
    corners, triangle = np.array([[0, 0, 0], [3000, 0, 0], [0, 4000, 0]], float), np.array([[0, 1, 2]])
    assert module.surface_area(corners, triangle) == 6.0


def test_exchange(tmp_path, monkeypatch):
    """The tracks that Spinome writes reach napari, which is no part of the environment, in the form that it takes."""
    file = tmp_path / "results/twophoton/napari/mouse.field.csv"
    file.parent.mkdir(parents=True)
    pd.DataFrame(np.arange(18).reshape(2, 9), columns=[*TRACKS, *PROPERTIES]).to_csv(file, index=False)
    opened, added = [], []
    viewer = types.SimpleNamespace(
        open=lambda path, plugin: opened.append((path, plugin)),
        add_tracks=lambda data, properties: added.append((data, properties)),
    )
    monkeypatch.setitem(sys.modules, "napari", types.SimpleNamespace(Viewer=lambda: viewer))
    monkeypatch.chdir(tmp_path)
    run_blocks("exchange.md")
    ((data, properties),) = added
    assert data.to_numpy().tolist() == [[0, 1, 2, 3, 4], [9, 10, 11, 12, 13]]
    assert list(properties) == PROPERTIES


def test_phantom(capsys):
    """The page's study of tables has the effect that it asks for."""
    tables = run_blocks("phantom.md")["tables"]
    assert set(tables["dendrites"]["condition"]) == {"control", "treated"}
    assert "treated" in capsys.readouterr().out


def test_proofreading(tmp_path, monkeypatch):
    """The server of the page gives a file to a viewer from elsewhere."""
    (tmp_path / "segments").write_text("served")
    monkeypatch.chdir(tmp_path)
    answers = []

    class AnyPort(http.server.ThreadingHTTPServer):
        """On a free port, and for one request."""

        def __init__(self, address, handler):
            super().__init__((address[0], 0), handler)

        def serve_forever(self):
            def ask():
                with urllib.request.urlopen(f"http://localhost:{self.server_port}/segments", timeout=30) as answer:
                    answers.append((answer.read(), answer.headers["Access-Control-Allow-Origin"]))

            asking = threading.Thread(target=ask)
            asking.start()
            self.handle_request()
            asking.join()
            self.server_close()

    monkeypatch.setattr(http.server, "ThreadingHTTPServer", AnyPort)
    run_blocks("proofreading.md")
    assert answers == [(b"served", "*")]


def test_all_python_is_run():
    """What a page with Python needs to run is its own, so it has a test of its name above."""
    lacking = [page.name for page in PAGES if blocks(page, "python") and f"test_{page.stem}" not in globals()]
    assert not lacking


def test_every_block_says_its_language():
    """Blocks without one would escape these tests."""
    found = {(page.name, name) for page in PAGES for name, _ in BLOCK.findall(page.read_text())}
    assert {name for _, name in found} <= {"python", "yaml", "sh", "text"}, found


@pages_with("yaml")
def test_configurations(page):
    for block in blocks(page, "yaml"):
        assert complete(yaml.safe_load(block))


@pytest.mark.slow
@pages_with("sh")
def test_commands(page, tmp_path):
    """Commands of Snakemake are planned and not run; of make it is asked what it would do."""
    for name in NEEDED.get(page.name, []):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name, text in WRITTEN.get(page.name, {}).items():
        (tmp_path / name).write_text(text)
    # a page that shows a configuration calls it by its own name
    for name, block in zip(re.findall(r"--configfile (\w+\.yaml)", page.read_text()), blocks(page, "yaml")):
        (tmp_path / name).write_text(block)
    (tmp_path / "config").symlink_to(REPOSITORY / "config")
    (tmp_path / "profiles").symlink_to(REPOSITORY / "profiles")
    functions = f"""
        snakemake() {{ {sys.executable} -m snakemake --snakefile {REPOSITORY}/Snakefile --dry-run --quiet all "$@"; }}
        make() {{ command make --directory {REPOSITORY} --dry-run "$@" > /dev/null; }}
    """
    for block in blocks(page, "sh"):
        script = block.replace(".venv/bin/snakemake", "snakemake").replace("/data/", f"{tmp_path}/data/")
        ran = subprocess.run(
            ["bash", "-e", "-c", functions + script],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, block + ran.stdout + ran.stderr
