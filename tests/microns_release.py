"""The MICrONS release in small: its static tables and meshes in their layout, as bytes by the path of their address."""

import gzip
import json

import DracoPy
import numpy as np

from surfaces import make_tube

TABLES = "mat_dbs/public/minnie65_phase3_v1"
LABELS = f"{TABLES}/v1507/vortex_compartment_targets"
PUBLISHED = f"{TABLES}/v1507/synapse_target_predictions_ssa"
SYNAPSES = f"{TABLES}/v1300/synapses_pni_2_v1_filtered_view"
MESHES = "iarpa_microns/minnie/minnie65/seg_m1300"
VOXEL_NM = np.array([4, 4, 40])
BITS = 16
# synapses of a neuron: so many on the thick half of its surface, which is called shaft, and on the thin one, spine
EACH = 60
FIRST = 864691135000000000


def girth(x, turn):
    """A radius of 600 nm, from the middle on of 150 nm."""
    return np.where(x < 6000, 600, 150) * (1 + 0.1 * np.cos(2 * turn + x / 700))


def release(neurons=5):
    """The files of a release by path, and of each neuron by root id its vertices, points and tags."""
    mesh = make_tube(girth, 12_000.0, 16, 120)
    rng = np.random.default_rng(0)
    files, truth = {}, {}
    labels, published, synapses = [], [], []
    for number in range(neurons):
        root, origin = FIRST + number, 40.0 * rng.integers(1000, 2000, 3)
        along = mesh.vertices[:, 0]
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero(half), EACH, False) for half in (along < 5500, along > 6500)]
        )
        tags = np.repeat(["shaft", "spine"], EACH)
        points = np.round((mesh.vertices[chosen] + origin) / VOXEL_NM)
        for place, (point, tag) in enumerate(zip(points.astype(int), tags)):
            synapse = 1000 * number + place
            # one of them in words of the release that are taken for spine, or left out
            told = "soma_spine" if tag == "spine" and place % 7 == 0 else "orphan" if place == 3 else tag
            labels.append(f'{synapse},"2024-01-01 00:00:00.1",t,{synapse},{told}')
            published.append(f"{synapse},{synapse},{'shaft' if place == 80 else tag},0.9")
            synapses.append(f"{synapse},{10 + place},{7_000 + place},{root},{','.join(map(str, point))}")
        files |= multilod(root, mesh.vertices + origin, mesh.faces)
        truth[root] = (mesh.vertices + origin, points * VOXEL_NM, tags)
    # a label that was withdrawn, one of two minds, and a synapse that nobody labelled
    labels += ['9001,"2024-01-01 00:00:00.1",f,5,soma', '9002,"2024-01-01 00:00:00.1",t,6,soma']
    synapses.append(f"999999,5,7000,{FIRST},1,2,3")
    columns = {
        LABELS: ["id", "created", "valid", "target_id", "tag"],
        PUBLISHED: ["id", "target_id", "tag", "value"],
        SYNAPSES: ["id", "size", "pre_pt_root_id", "post_pt_root_id", *(f"ctr_pt_position_{axis}" for axis in "xyz")],
    }
    for path, rows in ((LABELS, labels), (PUBLISHED, published), (SYNAPSES, synapses)):
        files[f"{path}.csv.gz"] = gzip.compress("\n".join([*rows, ""]).encode())
        files[f"{path}_header.csv"] = "".join(f"{name},text\n" for name in columns[path]).encode()
    files[f"{MESHES}/info"] = json.dumps({"@type": "neuroglancer_multiscale_volume", "mesh": "mesh"}).encode()
    info = {"@type": "neuroglancer_multilod_draco", "vertex_quantization_bits": BITS, "lod_scale_multiplier": 1}
    info["transform"] = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    files[f"{MESHES}/mesh/info"] = json.dumps(info).encode()
    return files, truth


def multilod(root, vertices, faces):
    """A mesh of one level and one chunk, as `neuroglancer_multilod_draco`."""
    low, size = vertices.min(axis=0), np.ptp(vertices, axis=0)
    steps = np.round((vertices - low) / size * (2**BITS - 1)).astype(np.uint32)
    fragment = DracoPy.encode(steps, faces.astype(np.uint32), preserve_order=True)
    manifest = b"".join(np.asarray(part, "<f4").tobytes() for part in (size, low)) + np.uint32(1).tobytes()
    manifest += np.ones(1, "<f4").tobytes() + np.zeros(3, "<f4").tobytes() + np.ones(1, "<u4").tobytes()
    manifest += np.zeros(3, "<u4").tobytes() + np.uint32(len(fragment)).tobytes()
    return {f"{MESHES}/mesh/{root}.index": manifest, f"{MESHES}/mesh/{root}": fragment}


def serve(files):
    """How a server on loopback answers for these files: whole, or the bytes that are asked for."""

    def behave(request):
        content = files.get(request.path.lstrip("/"))
        if content is None:
            return request.answer(status="404 Not Found")
        asked = request.headers.get("range")
        if asked is None:
            return request.answer(content)
        start, _, stop = asked.removeprefix("bytes=").partition("-")
        part = content[int(start) : int(stop) + 1 if stop else None]
        stated = f"bytes {start}-{int(start) + len(part) - 1}/{len(content)}"
        return request.answer(part, status="206 Partial Content", Content_Range=stated)

    return behave
