"""Linking cuboid by cuboid: what each job costs and holds, and how both grow with the volume.

The volumes are `gala_fib25/test.h5` (one megavoxel of fly FIB-SEM) tiled by mirrored copies of itself, each with labels
of its own, and are made cuboid by cuboid; so they are as rich as the tissue, and no segment is longer than a tile.
Superpixels are those that come with the volume, segments its truth.
"""

import http.server
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import psutil
import trimesh

from census_rows import census_rows
from grey_to_links import GIVEN, grey_rows, jobs_of
from linking_chunkings import linking_chunking_rows
from many_neurons import fetched_rows, plan_rows
from neurons import label_files
from runner import ONE_THREAD, Row, _peak_mb, measure, write_rows
from spinome.cuboids import Box, Cuboid, Shape, and_next, cuboids
from spinome.flat_forest import flatten_forest
from spinome.io.cave import POSITION, read_synapses
from spinome.io.meshes import read_mesh
from spinome.io.models import load_model
from spinome.linking.agglomerate import agglomerate, agglomerate_in_place, cut
from spinome.linking.basins import Basins, basins
from spinome.linking.contacts import (
    Contacts,
    count_superpixels,
    find_contacts,
    join_contacts,
    read_contacts,
    save_contacts,
)
from spinome.linking.edge_features import FEATURES
from spinome.linking.flooding_heights import landscape, reach
from spinome.linking.measure import (
    SIDES,
    centroids,
    join_measured,
    nearest_voxels,
    read_measured,
    save_measured,
)
from spinome.linking.measure import measure as measure_cuboid
from spinome.linking.pieces import cuboids_of, find_pieces, gather, read_pieces, save_pieces, simplified, weld_pieces
from spinome.linking.region_graph import graph_of_contacts, region_graph
from spinome.linking.rounds import LIMIT, agglomerate_in_rounds, blocks_of
from spinome.linking.watershed import flood
from year_cost import cost_rows

REPOSITORY = Path(__file__).parents[1]
SHARED = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data"))
DATA = SHARED / "em" / "gala_fib25" / "test.h5"
NEURON = SHARED / "neurons" / "648518346349539862"
VOXEL_NM, STRIDE = (10.0, 10.0, 10.0), (2, 2, 2)
THINNED_NM = (20.0, 20.0, 20.0)
CUBOID: Shape = (64, 256, 256)
THINNED: Shape = (32, 128, 128)
# gigavoxels; of any size, the volume is never whole anywhere
SIZES: dict[str, Shape] = {"0.07": (140, 700, 700), "0.3": (300, 1000, 1000)}
GRAPH_SIZES: dict[str, Shape] = SIZES | {"1": (1000, 1000, 1000)}
# copies of one cuboid (z, y, x) that the watershed joins
FEW_CUBOIDS, MANY_CUBOIDS = (4, 4, 4), (8, 8, 4)
# as `linking.watershed` has them
WATERSHED = {"threshold": 0.5, "smoothing_nm": 15.0, "spacing_nm": 40.0}
ERROR_NM = 20.0
# what one node has
NODE_BYTES = 24e9


@cache
def tile(name: str) -> np.ndarray:
    """One of the data sets of the volume, whole."""
    with h5py.File(DATA) as file:
        return file[name][()]


def tiled(name: str, box: Box, stride: int = 1) -> np.ndarray:
    """Voxels of a box of the volume tiled by mirrored copies; labels are told apart by their tile."""
    source = tile(name)
    places, tiles = [], []
    for side, length in zip(box, source.shape):
        place = np.arange(side.start, side.stop) * stride
        number, within = np.divmod(place, length)
        places.append(np.where(number % 2, length - 1 - within, within))
        tiles.append(number)
    values = source[np.ix_(*places)]
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    of_tile = (tiles[0][:, None, None] * 1000 + tiles[1][:, None]) * 1000 + tiles[2]
    return np.where(values > 0, values.astype(np.uint64) + of_tile.astype(np.uint64) * np.uint64(100_000), 0)


def agglomeration_forest():
    """The shipped forest of agglomeration."""
    return flatten_forest(load_model(REPOSITORY / "workflow" / "models" / "agglomeration.skops", FEATURES).estimator)


def compiled() -> None:
    """Compile what is measured before the clock starts."""
    corner = (slice(0, 20), slice(0, 60), slice(0, 60))
    graph = region_graph(tiled("watershed", corner), tiled("boundary_probability", corner), VOXEL_NM)
    agglomerate(graph, "forest", agglomeration_forest())


def contacts_of(shape: Shape, folder: str) -> float:
    """CPU-seconds of the contacts of all cuboids, files and all, the making of the volume left out."""
    compiled()
    seconds = 0.0
    for block in cuboids(shape, CUBOID):
        box = and_next(block, shape)
        labels, membrane = tiled("watershed", box), tiled("boundary_probability", box)
        started = time.process_time()
        save_contacts(f"{folder}/{block.name}.npz", find_contacts(labels, membrane, VOXEL_NM, block.shape))
        seconds += time.process_time() - started
    return seconds


def tree_of(folder: str) -> tuple[float, float, int]:
    """CPU-seconds of joining the contacts and of the merge tree, and how many superpixels there are."""
    compiled()
    files = sorted(Path(folder).glob("*.npz"))
    started = time.process_time()
    graph = graph_of_contacts(join_contacts(lambda: map(read_contacts, files)), VOXEL_NM)
    joined = time.process_time()
    superpixels = len(graph.labels)
    agglomerate_in_place(graph, "forest", agglomeration_forest())
    return joined - started, time.process_time() - joined, superpixels


def held_by(folder: str, copies: int) -> tuple[float, int]:
    """Bytes that the graph and its merge tree take at most, and superpixels; the volume stands several times over."""
    compiled()
    forest = agglomeration_forest()
    tile.cache_clear()
    files = sorted(Path(folder).glob("*.npz"))

    def parts() -> Iterator[Contacts]:
        for copy in range(copies):
            shift = np.uint64(copy << 50)
            for part in map(read_contacts, files):
                yield replace(part, labels=part.labels + shift, sides=part.sides + shift)

    before = psutil.Process().memory_info().rss
    graph = graph_of_contacts(join_contacts(parts), VOXEL_NM)
    superpixels = len(graph.labels)
    agglomerate_in_place(graph, "forest", forest)
    return _peak_mb(resource.getrusage(resource.RUSAGE_SELF)) * 1e6 - before, superpixels


def flooded(copies: Sequence[Shape]) -> list[tuple[float, float, int]]:
    """For each number of copies of a cuboid within tissue, which rises: CPU-seconds of joining their basins, the bytes
    that this takes at most, and how many basins there are.

    The basins are those of the middle one of 27 cuboids. The ways out of a copy lead to the basins at the other end of
    the next one, at the heights that they have where tissue goes on.
    """
    shape = tuple(3 * length for length in CUBOID)
    halo = reach(VOXEL_NM, WATERSHED["smoothing_nm"], WATERSHED["spacing_nm"])
    middle = list(cuboids(shape, CUBOID, halo))[13]
    height, seed = landscape(tiled("boundary_probability", middle.padded), VOXEL_NM, **WATERSHED)
    _, found = basins(height, seed, middle, shape)
    del height, seed
    list(flood([middle], lambda _: found))

    def moved(voxel: np.ndarray, start: Shape, whole: Shape) -> np.ndarray:
        place = [axis - own + new for axis, own, new in zip(np.unravel_index(voxel, shape), middle.start, start)]
        # the way out of the last copy leads out of the volume
        return np.ravel_multi_index(place, whole, mode="wrap")

    before, results = psutil.Process().memory_info().rss, []
    for count in copies:
        whole = tuple(length * times for length, times in zip(CUBOID, count))

        def read(block: Cuboid, whole: Shape = whole) -> Basins:
            passes, ways = found.passes.copy(), found.ways.copy()
            for rows in (passes, ways):
                for name in ("above", "below"):
                    rows[name] = moved(rows[name], block.start, whole)
            return replace(found, first=moved(found.first, block.start, whole), passes=passes, ways=ways)

        blocks, started = list(cuboids(whole, CUBOID)), time.process_time()
        for _ in flood(blocks, read):
            pass
        taken = time.process_time() - started
        held = _peak_mb(resource.getrusage(resource.RUSAGE_SELF)) * 1e6 - before
        results.append((taken, held, len(found.first) * len(blocks)))
    return results


def flood_rows() -> list[Row]:
    """What joining the basins of a volume takes, and the volume at which 24 GB end."""
    copies = FEW_CUBOIDS, MANY_CUBOIDS
    (_, few, _), (seconds, many, number) = measure(flooded, copies).result
    fewer, voxels = (float(np.prod(CUBOID) * np.prod(count)) for count in copies)
    what = f"linking_watershed, {voxels / 1e9:.1f} gigavoxels of copies of one cuboid"
    added = (many - few) / (voxels - fewer)
    return [
        Row(f"{what}: memory beside libraries", many / 1e6, "MB"),
        Row(f"{what}: a voxel more than {fewer / 1e9:.1f} gigavoxels", added, "bytes"),
        Row(f"{what}: a basin more", added * voxels / number, "bytes"),
        Row(f"{what}: joining, a megavoxel", seconds / voxels * 1e6, "CPU-s"),
        Row("volume at which linking_watershed fills 24 GB", NODE_BYTES / added / 1e9, "gigavoxels", 100),
    ]


def in_rounds(folder: str, most: int) -> tuple[float, float, float, int]:
    """Variation of information in bits between segments of both ways at the default threshold, split and merge, the
    share of superpixels that is left for the second round, and blocks.
    """
    forest, files = agglomeration_forest(), {file.stem: file for file in Path(folder).glob("*.npz")}
    graph = graph_of_contacts(join_contacts(lambda: map(read_contacts, files.values())), VOXEL_NM)
    voxels = graph.region_moments[:, 0].copy()
    whole = cut(agglomerate_in_place(graph, "forest", forest), graph.labels, LIMIT)
    blocks = blocks_of({name: count_superpixels(file) for name, file in files.items()}, most)
    with tempfile.TemporaryDirectory() as scratch:
        tree = agglomerate_in_rounds(files, blocks, VOXEL_NM, Path(scratch), "forest", forest)
        left = np.unique(np.concatenate([np.load(file)["labels"] for file in Path(scratch).iterdir()]))
    pairs, number = np.unique(np.stack([whole, cut(tree, graph.labels, LIMIT)]), axis=1, return_inverse=True)
    both = np.bincount(number.ravel(), voxels) / voxels.sum()
    one, other = (np.bincount(side, both)[side] for side in pairs)
    split, merge = (float(-(both * np.log2(both / side)).sum()) for side in (one, other))
    return split, merge, len(left) / len(voxels), len(blocks)


def rounds_rows(size: str = "0.07", most: int = 4000) -> list[Row]:
    """How far agglomeration in rounds differs from that of the whole graph, and what one superpixel takes of memory."""
    with tempfile.TemporaryDirectory() as folder:
        contacts_of(SIZES[size], folder)
        split, merge, left, blocks = measure(in_rounds, folder, most).result
        held, superpixels = measure(held_by, folder, 8).result
    what = f"agglomeration in rounds, {size} gigavoxels in {blocks} blocks"
    gigavoxels = NODE_BYTES / held * np.prod(SIZES[size]) * 8 / 1e9
    return [
        Row(f"{what}: variation of information to the whole graph, split", split, "bits"),
        Row(f"{what}: variation of information to the whole graph, merge", merge, "bits"),
        Row(f"{what}: regions left for the second round", left, "of all superpixels"),
        Row("graph and merge tree in one process, a superpixel", held / superpixels, "bytes"),
        Row("volume at which graph and merge tree fill 24 GB", gigavoxels, "gigavoxels"),
        Row(
            "volume at which the second round fills 24 GB, linear in its regions", gigavoxels / left, "gigavoxels", 100
        ),
    ]


def read_thinned(box: Box) -> np.ndarray:
    """Segments of a box of the thinned volume."""
    return tiled("truth", box, STRIDE[0])


def thinned_shape(shape: Shape) -> Shape:
    """Voxels of the thinned volume."""
    z, y, x = (-(-length // step) for length, step in zip(shape, STRIDE))
    return z, y, x


def measured_of(shape: Shape, folder: str) -> float:
    """CPU-seconds of measuring the segments of all cuboids, with the making of the volume."""
    small = thinned_shape(shape)
    started = time.process_time()
    for block in cuboids(small, THINNED):
        save_measured(f"{folder}/{block.name}.npz", measure_cuboid(read_thinned, block, small, THINNED_NM))
    return time.process_time() - started


def joined_of(shape: Shape, folder: str) -> tuple[float, int]:
    """CPU-seconds of joining what was measured, and segments; the table is left in the folder."""
    files = sorted(Path(folder).glob("*.npz"))
    started = time.process_time()
    frame = join_measured(lambda: map(read_measured, files), thinned_shape(shape), VOXEL_NM, STRIDE)
    seconds = time.process_time() - started
    frame.to_parquet(f"{folder}/segments.parquet")
    return seconds, len(frame)


def pieces_of(shape: Shape, folder: str) -> float:
    """CPU-seconds of central voxels and surfaces in all cuboids, with the making of the volume."""
    frame = pd.read_parquet(f"{folder}/segments.parquet")
    labels, centres = frame["segment"].to_numpy().astype(np.uint64), centroids(frame, THINNED_NM)
    small = thinned_shape(shape)
    started = time.process_time()
    for block in cuboids(small, THINNED):
        pieces = find_pieces(read_thinned, block, small)
        core = read_thinned(block.core)
        own = np.isin(labels, core)
        nearest_voxels(core, block, labels[own], centres[own], THINNED_NM)
        save_pieces(f"{folder}/pieces-{block.name}.npz", pieces)
    return time.process_time() - started


def meshes_of(shape: Shape, folder: str) -> tuple[float, int]:
    """CPU-seconds of welding and simplifying the 200 largest segments, and how many they are."""
    frame = pd.read_parquet(f"{folder}/segments.parquet").nlargest(200, "voxels")
    started = time.process_time()
    for label, box in zip(frame["segment"], frame[list(SIDES)].to_numpy()):
        names = list(cuboids_of(box, THINNED))
        found = gather(names, lambda name: read_pieces(f"{folder}/pieces-{name}.npz"), [label])
        simplified(*weld_pieces(found[label])[:2], THINNED_NM, ERROR_NM)
    return time.process_time() - started, len(frame)


def graph_rows() -> list[Row]:
    """Contacts, their graph and its merge tree at all sizes."""
    rows, cost = [], {}
    for size, shape in GRAPH_SIZES.items():
        voxels = np.prod(shape) / 1e6
        with tempfile.TemporaryDirectory() as folder:
            contacts = measure(contacts_of, shape, folder)
            tree = measure(tree_of, folder)
            on_disk = sum(file.stat().st_size for file in Path(folder).iterdir())
        joining, merging, _ = tree.result
        cost[size] = (contacts.result + joining + merging) / voxels
        rows += [
            Row(f"linking_contacts, {size} gigavoxels: highest memory of a job", contacts.peak_mb, "MB", 2000, True),
            Row(f"linking_agglomerate, {size} gigavoxels: highest memory", tree.peak_mb, "MB"),
            Row(f"contacts, join and agglomeration, {size} gigavoxels, a megavoxel", cost[size], "CPU-s", 0.053, True),
            Row(f"contacts on disk, {size} gigavoxels, a voxel", on_disk / voxels / 1e6, "bytes"),
        ]
    return [*rows, *_growth("contacts, tree", cost)]


def segment_rows() -> list[Row]:
    """Measures, surfaces and meshes of segments at both sizes."""
    rows, cost = [], {}
    for size, shape in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(measured_of, shape, folder)
            joined = measure(joined_of, shape, folder)
            pieces = measure(pieces_of, shape, folder)
            meshes = measure(meshes_of, shape, folder)
        cost[size] = (measured.result + joined.result[0] + pieces.result) / (np.prod(shape) / 1e6)
        for name, job in {"measure": measured, "pieces": pieces}.items():
            what = f"linking_{name}, {size} gigavoxels: highest memory of a job"
            rows.append(Row(what, job.peak_mb, "MB", 2000, True))
        for name, job in {"join": joined, "meshes": meshes}.items():
            rows.append(Row(f"linking_{name}, {size} gigavoxels: highest memory", job.peak_mb, "MB"))
        rows.append(Row(f"measure and pieces, {size} gigavoxels, a megavoxel", cost[size], "CPU-s"))
        rows.append(Row(f"welded mesh of a segment, {size} gigavoxels", meshes.result[0] / meshes.result[1], "CPU-s"))
    return [*rows, *_growth("measure, pieces", cost)]


def _growth(name: str, cost: dict[str, float]) -> list[Row]:
    """What a voxel costs at the larger sizes against the smallest."""
    (smallest, first), *larger = cost.items()
    what = f"CPU of {name} per voxel, {{}} against {smallest} gigavoxels"
    return [Row(what.format(size), value / first, "times", 1.15, True) for size, value in larger]


def kept_rows() -> list[Row]:
    """What a run of the workflow leaves on disk of one real neuron, by `neurons.keep`; labelled synapses apart."""
    rows = []
    vertices = len(read_mesh(f"{NEURON}_mesh.npz").vertices)
    with tempfile.TemporaryDirectory() as folder:
        sheet, results = Path(folder, "neurons.tsv"), Path(folder, "results")
        sheet.write_text(f"neuron\tmesh\tsynapses\n{NEURON.name}\t{NEURON}_mesh.npz\t{NEURON}_synapses.parquet\n")
        for keep, aim in (("all", 150), ("condensed", 12)):
            config = Path(folder, f"{keep}.yaml")
            keys = {"samples": {"neurons": str(sheet)}, "results": str(results), "neurons": {"shards": 1, "keep": keep}}
            config.write_text(json.dumps(keys))
            command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", folder, "-c1"]
            subprocess.run([*command, "--configfile", str(config), "--", "neurons"], check=True, capture_output=True)
            what = f"neuron of {vertices:,} vertices, neurons.keep: {keep}, left on disk, a vertex"
            rows.append(Row(what, left_in(results / "units") / vertices, "bytes", aim, True))
    return rows


def left_in(*folders: Path) -> int:
    """Bytes of the units below folders, each file once; labelled synapses apart."""
    sizes = {
        file.stat().st_ino: file.stat().st_size
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file()
        and "neurons_synapses" not in file.parts
        and "synapses" not in file.name
        and "synapses" not in file.parent.name
    }
    return sum(sizes.values())


class OneMesh(http.server.BaseHTTPRequestHandler):
    """Serves a mesh as one fragment."""

    fragment = b""
    asked = 0

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        whole = name.endswith(":0:0")
        type(self).asked += whole
        info, manifest = b'{"@type": "neuroglancer_legacy_mesh"}', json.dumps({"fragments": [f"{name}:0"]}).encode()
        body = info if name == "info" else self.fragment if whole else manifest
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def lent_rows() -> list[Row]:
    """What the same neuron leaves where its mesh comes from an address and nobody keeps it, and how often it comes."""
    mesh = read_mesh(f"{NEURON}_mesh.npz")
    head = np.uint32(len(mesh.vertices)).tobytes()
    OneMesh.fragment = head + mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OneMesh)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    rows = []
    for stays, aim in ((True, None), (False, 12)):
        OneMesh.asked = 0
        with tempfile.TemporaryDirectory() as folder:
            sheet, config = Path(folder, "neurons.tsv"), Path(folder, "config.yaml")
            address = f"http://127.0.0.1:{server.server_port}/mesh::1"
            sheet.write_text(f"neuron\tmesh\tsynapses\nn\t{address}\t{NEURON}_synapses.parquet\n")
            neurons = {"shards": 1, "keep": "condensed", "keep_fetched": stays}
            config.write_text(json.dumps({"samples": {"neurons": "neurons.tsv"}, "neurons": neurons}))
            command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", folder, "-c1"]
            subprocess.run([*command, "--configfile", str(config), "--", "neurons"], check=True, capture_output=True)
            left = left_in(Path(folder, "results", "units"), Path(folder, "resources"))
        what = f"neuron of {len(mesh.vertices):,} vertices by address, condensed, keep_fetched: {str(stays).lower()}"
        rows.append(Row(f"{what}, left on disk, a vertex", left / len(mesh.vertices), "bytes", aim, True))
        rows.append(Row(f"{what}, fetched in one run, its figure among it", OneMesh.asked, "times"))
    server.shutdown()
    return rows


def labelled_by_jobs(mesh: str, synapses: str) -> pd.Series:
    """CPU-seconds (6,) by step of the jobs that lead from the files of a neuron to its labelled synapses."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "neurons.tsv").write_text(f"neuron\tmesh\tsynapses\nn\t{mesh}\t{synapses}\n")
        config, results = Path(folder, "config.yaml"), Path(folder, "results")
        keys = {"samples": {"neurons": "neurons.tsv"}, "results": "results", "neurons": {"shards": 1}}
        config.write_text(json.dumps(keys))
        command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "-d", folder, "-c1"]
        command += ["--configfile", str(config), "--", "results/neurons/synapses/0.parquet"]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | ONE_THREAD)
        return jobs_of(results / "logs").groupby("step")["cpu_time"].sum()


def workflow_rows() -> list[Row]:
    """CPU of the jobs on one real neuron against that of the calls of the library, and what the jobs take to begin."""
    files = f"{NEURON}_mesh.npz", f"{NEURON}_synapses.parquet"
    with tempfile.TemporaryDirectory() as folder:
        # so small that all its jobs do is begin
        tube = trimesh.creation.cylinder(radius=400, height=20_000).subdivide().subdivide().subdivide()
        np.savez(f"{folder}/tube.npz", vertices_nm=tube.vertices, faces=tube.faces)
        table = read_synapses(files[1])[:5]
        table[POSITION] = tube.vertices[:5]
        table.to_parquet(f"{folder}/synapses.parquet")
        # the first time Numba compiles
        for _ in range(2):
            begin = labelled_by_jobs(f"{folder}/tube.npz", f"{folder}/synapses.parquet")
    jobs, calls = labelled_by_jobs(*files), measure(label_files, *files).cpu_s
    print(pd.DataFrame({"jobs": jobs, "begin": begin}).round(1).to_string(), calls)
    what = "neuron of 693,038 vertices, files to labelled synapses and spines: CPU in the workflow against the calls"
    return [
        Row(f"{what}, starts of its {len(jobs)} jobs apart", (jobs - begin).sum() / calls, "times", 1.3, True),
        Row(f"{what}, a shard of this neuron alone", jobs.sum() / calls, "times", 1.3, True),
    ]


if __name__ == "__main__":
    # the plan first: memory is the highest of all processes so far
    rows = [*plan_rows(), *flood_rows(), *graph_rows(), *segment_rows(), *rounds_rows(), *kept_rows()]
    rows += [*lent_rows(), *workflow_rows(), *linking_chunking_rows(), *fetched_rows()]
    write_rows("scale", [*rows, *grey_rows(), *grey_rows(tuple(GIVEN), given=True), *census_rows(), *cost_rows()])
