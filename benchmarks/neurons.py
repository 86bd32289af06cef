"""Condensed heat kernel signatures of real meshes, against meshmash on the same meshes."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from runner import BENCHMARKS, ENVIRONMENTS, PeerUnavailable, Row, measure, measure_command, write_rows
from spinome.io.meshes import read_mesh
from spinome.neurons.condense import condense
from spinome.neurons.hks import log_hks
from spinome.neurons.simplify import simplify

DATA = Path(os.environ.get("SPINOME_DATA", BENCHMARKS.parent.parent / "shared" / "data")) / "neurons"
DENDRITE, NEURON = DATA / "dendrite_sample.gltf", DATA / "864691134900032266_labelled.npz"
PUBLISHED = {"max_vertices": 20_000, "overlap_nm": 20_000.0, "max_overlapping": 60_000}
PEER = "meshmash==0.1.0"
PEER_SCRIPT = """
import sys, time, numpy as np
from meshmash import condensed_hks_pipeline
mesh = np.load(sys.argv[1])
started = time.process_time()
result = condensed_hks_pipeline((mesh["vertices"], mesh["faces"]), n_jobs=1)
labels = np.asarray(result.labels)
print(time.process_time() - started, np.mean(labels >= 0))
"""


def features(path: str, reduction: float | None, options: dict[str, float]) -> float:
    """Condensed signatures from mesh to domains; the fraction of the mesh's vertices that have them."""
    mesh = read_mesh(path)
    small = simplify(mesh, reduction=reduction)
    log = log_hks(small.vertices, small.faces, **options)
    domains = condense(small.vertices, small.faces, log)
    return float(np.isfinite(domains.log_hks[domains.label[small.vertex_of]]).all(axis=1).mean())


def peer_features(path: Path) -> tuple[float, float]:
    """CPU-seconds of meshmash with its defaults, and the fraction of vertices that have features."""
    mesh = read_mesh(str(path))
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "mesh.npz", Path(folder) / "run.py"
        np.savez(file, vertices=mesh.vertices, faces=mesh.faces)
        script.write_text(PEER_SCRIPT)
        output = measure_command([peer_environment(), script, file]).result
    seconds, covered = output.strip().splitlines()[-1].split()
    return float(seconds), float(covered)


def peer_environment() -> Path:
    """The Python of meshmash's environment; it needs Python 3.12, which this program does not use."""
    folder = ENVIRONMENTS / "meshmash"
    python = folder / "bin" / "python"
    if (folder / ".installed").exists():
        return python
    found = [shutil.which("python3.12"), *sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python"))]
    runs = [path for path in found if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode]
    if not runs:
        raise PeerUnavailable(f"{PEER}: needs Python 3.12, which is not here")
    subprocess.run([runs[0], "-m", "venv", "--clear", folder], check=True)
    answer = subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], capture_output=True, text=True)
    if answer.returncode:
        raise PeerUnavailable(f"{PEER}: {answer.stderr.strip().splitlines()[-1]}")
    (folder / ".installed").touch()
    return python


def main() -> None:
    if not DENDRITE.exists():
        raise SystemExit(f"{DENDRITE} is absent; set SPINOME_DATA to the folder that holds neurons/")
    rows = []
    for path, name in (
        (DENDRITE, "spiny dendrite, 32,441 vertices"),
        (NEURON, "neuron, 62,049 vertices, 174 components"),
    ):
        try:
            peer, (seconds, covered) = f"{PEER}, its defaults, beside", peer_features(path)
        except (PeerUnavailable, RuntimeError) as error:
            peer, seconds, covered = str(error).splitlines()[-1], None, None
        published = measure(features, str(path), 0.7, PUBLISHED)
        default = measure(features, str(path), None, {})
        rows += [
            Row(f"condensed features, {name}, published options", published.cpu_s, "CPU-s", None, True, peer, seconds),
            Row(f"condensed features, {name}, default options", default.cpu_s, "CPU-s", None, True, peer, seconds),
            Row(f"vertices with features, {name}", default.result, "fraction", 1.0, False, peer, covered),
        ]
    write_rows("neurons", rows)


if __name__ == "__main__":
    main()
