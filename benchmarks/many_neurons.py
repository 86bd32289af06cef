"""Two thousand small neurons from a server on loopback that fails now and then, through the workflow to their labels.

A twentieth of all requests is answered 503, a hundredth after a pause, and three meshes are not there at all.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import trimesh

from runner import Row

REPOSITORY = Path(__file__).parents[1]
NEURONS, SHARDS = 2000, 20
ABSENT = {"17", "801", "1999"}
FAILING, SLOW, PAUSE_S = 0.05, 0.01, 2.0
# of the plan alone: as many as the published census has
CENSUS = 75_241


def mesh_of(number: int) -> bytes:
    """A capsule with a smaller one on its side, in the format of Neuroglancer's meshes of one resolution."""
    shaft = trimesh.creation.capsule(height=4000 + number, radius=400, count=[16, 24])
    knob = trimesh.creation.icosphere(subdivisions=2, radius=300).apply_translation([600, 0, 1500])
    mesh = trimesh.util.concatenate([shaft, knob])
    count = np.uint32(len(mesh.vertices)).tobytes()
    return count + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves the meshes; which requests fail follows from their path and how often it was asked for."""

    asked: ClassVar[dict[str, int]] = {}
    failed = 0

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        times = self.asked[name] = self.asked.get(name, 0) + 1
        chance = int(hashlib.blake2b(f"{name} {times}".encode(), digest_size=4).hexdigest(), 16) / 2**32
        if chance < FAILING:
            type(self).failed += 1
            return self._answer(503, b"")
        if chance > 1 - SLOW:
            time.sleep(PAUSE_S)
        if name == "info":
            return self._answer(200, b'{"@type": "neuroglancer_legacy_mesh"}')
        number, _, rest = name.partition(":")
        if number in ABSENT:
            return self._answer(404, b"")
        manifest = json.dumps({"fragments": [f"{name}:0"]}).encode()
        return self._answer(200, mesh_of(int(number)) if rest == "0:0" else manifest)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def fetched_rows() -> list[Row]:
    """How many neurons are labelled, how many are named as failed, and what it takes."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        address = f"http://127.0.0.1:{server.server_port}/meshes"
        _study(folder, [f"n{number}\t{address}::{number}" for number in range(NEURONS)], SHARDS)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = _snakemake(folder, "-c2", "--", "neurons", "results/failures.parquet")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode:
            raise RuntimeError(run.stdout[-3000:])
        neurons = pd.read_parquet(folder / "results" / "neurons" / "neurons.parquet")
        failures = pd.read_parquet(folder / "results" / "failures.parquet")
    server.shutdown()
    labelled, named = int(neurons["spines"].notna().sum()), failures["unit"].nunique()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{Handler.failed} of {sum(Handler.asked.values())} requests were answered 503")
    what = f"{NEURONS:,} small neurons from a server that fails 5 % of requests and is slow on 1 %"
    return [
        Row(f"{what}: labelled, or named as failed", labelled + named, "neurons", NEURONS),
        Row(f"{what}: named as failed, of {len(ABSENT)} that are not there", named, "neurons", len(ABSENT)),
        Row(f"{what}: the whole run, a neuron", cpu / NEURONS, "CPU-s"),
    ]


def plan_rows() -> list[Row]:
    """What the plan of the published census takes, all neurons at addresses and their synapses in one table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [f"{number}\tgs://bucket/meshes::{number}\tsynapses.parquet" for number in range(CENSUS)]
        (folder / "synapses.parquet").touch()
        _study(folder, rows, 40, "\tsynapses")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = _snakemake(folder, "-n", "--quiet", "rules")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    jobs = next(line.split()[1] for line in run.stdout.splitlines() if line.startswith("total"))
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    what = f"{CENSUS:,} neurons by address, dry-run"
    return [
        Row(f"{what}: jobs", int(jobs), "jobs", 400, True),
        Row(what, cpu, "CPU-s", 5, True),
        Row(f"{what}: memory", after.ru_maxrss / 1e3, "MB", 300, True),
    ]


def _study(folder: Path, rows: list[str], shards: int, more: str = "") -> None:
    (folder / "neurons.tsv").write_text("\n".join([f"neuron\tmesh{more}", *rows]) + "\n")
    keys = {"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": shards}}
    (folder / "config.yaml").write_text(json.dumps(keys))


def _snakemake(folder: Path, *options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", str(folder)]
    command += ["--configfile", str(folder / "config.yaml"), *options]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
