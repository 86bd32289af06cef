"""Which programs open the volumes that Spinome writes, and what the checksums and the pyramid in them cost."""

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import zarr

from runner import PeerUnavailable, Row, measure, measure_command, peer_python, write_rows
from spinome.io.atomic import atomic
from spinome.io.pyramid import Kind
from spinome.io.volumes import create_volume, fill_pyramid, open_volume, write_volume
from spinome.linking.proofread import viewer_source, viewer_state

VOXEL_NM = (40.0, 8.0, 8.0)
# what is written: name in the store, kind
VOLUMES: dict[str, Kind] = {"segmentation": "labels", "image": "image"}
CUBOID = (32, 512, 512)
DATA = Path(os.environ.get("SPINOME_DATA", Path(__file__).parents[2] / "shared" / "data")) / "em"
REAL: dict[Kind, str] = {
    "labels": "pinky40/segmentation_z000-320.h5::segmentation",
    "image": "neuroproof_ts2/volume_z000-150.h5::raw",
}
SPEED_SHAPE = (128, 1024, 1024)

# each program reads every level of a volume and compares it with what was written: `compare(level, array (Z, Y, X))`
HEAD = """
import sys, warnings
warnings.simplefilter("ignore")
import numpy as np
path, levels = sys.argv[1], sys.argv[2:]
right = []
def compare(level, array):
    right.append(bool(np.array_equal(np.asarray(array), np.load(levels[level]))))
"""
TAIL = """
assert len(right) == len(levels), f"{len(right)} of {len(levels)} levels were opened"
print(sum(right) / len(right))
"""
CLIENTS = {
    "cloud-volume==12.15.2": """
from cloudvolume import CloudVolume
for level in range(len(levels)):
    volume = CloudVolume(f"zarr://file://{path}", mip=level, progress=False)
    compare(level, np.asarray(volume[:, :, :])[..., 0].T)
""",
    "ome-zarr==0.18.0": """
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
(node,) = Reader(parse_url(path))()
for level, array in enumerate(node.data):
    compare(level, array)
""",
    "napari-ome-zarr==0.10.0": """
from napari_ome_zarr import napari_get_reader
((arrays, about, kind),) = napari_get_reader(path)(path)
for level, array in enumerate(arrays):
    compare(level, array)
assert list(about["scale"]) == [40.0, 8.0, 8.0] and set(about["units"]) == {"nanometer"}, about
""",
    "tensorstore==0.1.86": """
import tensorstore
for level in range(len(levels)):
    store = {"driver": "file", "path": f"{path}/{level}/"}
    compare(level, tensorstore.open({"driver": "zarr3", "kvstore": store}).result().read().result())
""",
    "zarr==3.1.6": """
import zarr
for level in range(len(levels)):
    compare(level, zarr.open_array(f"{path}/{level}", mode="r")[:])
""",
    "ngff-zarr[validate]==0.50.0": """
import ngff_zarr
images = ngff_zarr.from_ngff_zarr(path, validate=True, version="0.5").images
for level, image in enumerate(images):
    compare(level, image.data)
""",
    "ome-zarr-models==1.7": """
import ome_zarr_models, zarr
image = ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
for level, about in enumerate(image.attributes.ome.multiscales[0].datasets):
    compare(level, zarr.open_array(f"{path}/{about.path}", mode="r")[:])
""",
}
# views are opened in a browser without a window, and the colours are compared with what should be seen
NEUROGLANCER = "neuroglancer==2.41.2"
LOOK = """
import json, subprocess, sys, tempfile
import neuroglancer, numpy as np
browser, views = sys.argv[1], json.load(open(sys.argv[2]))
viewer = neuroglancer.Viewer()
flags = ["--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
with tempfile.TemporaryDirectory() as profile:
    command = [browser, *flags, "--disable-dev-shm-usage", f"--user-data-dir={profile}", str(viewer)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        right = []
        for view in views:
            viewer.set_state(view["state"])
            height, width = np.shape(view["seen"])
            pixels = viewer.screenshot(size=[width, height]).screenshot.image_pixels
            seen = (pixels[..., :3] == view["colour"]).all(axis=-1)
            right.append(bool(np.array_equal(seen, view["seen"])))
            print(right[-1], int(seen.sum()), int(np.sum(view["seen"])), file=sys.stderr)
        print(sum(right) / len(right))
    finally:
        process.terminate()
        process.wait()
"""


def example() -> dict[str, np.ndarray]:
    """Labels with ids of 61 bits and grey values, large enough for three levels."""
    rng = np.random.default_rng(0)
    blocks = rng.permutation(16 * 20 * 16).reshape(16, 20, 16).astype(np.uint64) + np.uint64(1 << 60)
    labels = blocks.repeat(3, axis=0).repeat(11, axis=1).repeat(13, axis=2)
    return {"segmentation": labels, "image": rng.integers(0, 255, labels.shape).astype(np.uint8)}


def client_rows(folder: Path) -> list[Row]:
    """A row for each program: the share of the levels of both volumes that it reads to the last voxel."""
    written = example()
    with atomic(folder / "v.zarr") as part:
        for name, kind in VOLUMES.items():
            write_volume(part, written[name], VOXEL_NM, (16, 64, 64), name, kind)
    expected = {name: _levels(folder, name, written[name]) for name in VOLUMES}
    rows = []
    for client, code in CLIENTS.items():
        script = folder / "client.py"
        script.write_text(HEAD + code + TAIL)
        try:
            python = peer_python(client.partition("=")[0].partition("[")[0], [client])
            shares = [
                float(measure_command([python, script, folder / "v.zarr" / name, *files]).result.split()[-1])
                for name, files in expected.items()
            ]
        except (PeerUnavailable, RuntimeError) as error:
            rows.append(_row(0.0, f"{client}, failed: {str(error).strip().splitlines()[-1]}"))
            continue
        rows.append(_row(float(np.mean(shares)), client))
    return rows


def _row(value: float, client: str) -> Row:
    return Row("levels of labels and of grey values read to the last voxel", value, "fraction", 1.0, peer=client)


def _levels(folder: Path, name: str, finest: np.ndarray) -> list[Path]:
    """What each level should hold, as files; the levels are checked by the tests of `spinome.io.pyramid`."""
    files = []
    for path in sorted((folder / "v.zarr" / name).iterdir()):
        if path.is_dir():
            files.append(folder / f"{name}_{path.name}.npy")
            np.save(files[-1], open_volume(str(path))[:])
    np.testing.assert_array_equal(np.load(files[0]), finest)
    return files


def view_row(folder: Path) -> Row:
    """The share of views of proofreading that show an object where it is, to the pixel, along all three planes."""
    what = "views of an object in Neuroglancer that show it in its place, to the pixel"
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        return Row(
            what, float("nan"), "fraction", peer=f"{NEUROGLANCER}, not run: no Chromium on the PATH or in CHROMIUM"
        )
    labels = example()["segmentation"]
    with served(folder) as address:
        views = [
            view
            for voxel in ((2, 5, 7), (24, 110, 104), (47, 219, 207))
            for view in _views(labels, voxel, viewer_source(f"{folder / 'v.zarr'}::segmentation", address, folder))
        ]
        (folder / "views.json").write_text(json.dumps(views))
        (folder / "look.py").write_text(LOOK)
        try:
            python = peer_python("neuroglancer", [NEUROGLANCER])
            share = float(
                measure_command([python, folder / "look.py", browser, folder / "views.json"]).result.split()[-1]
            )
        except (PeerUnavailable, RuntimeError) as error:
            return Row(what, 0.0, "fraction", 1.0, peer=f"{NEUROGLANCER}, failed: {str(error).splitlines()[-1]}")
    return Row(what, share, "fraction", 1.0, peer=NEUROGLANCER)


def _views(labels: np.ndarray, voxel: tuple[int, int, int], source: str) -> Iterator[dict]:
    """The state for an object at a voxel, one plane at a time, with where its colour should be seen."""
    place_nm = (np.array(voxel) + 0.5) * VOXEL_NM
    state = viewer_state(source, place_nm, int(labels[voxel]), [], VOXEL_NM)
    # one voxel along x a pixel, and nothing drawn above the segments
    state |= {"crossSectionScale": 1.0, "showAxisLines": False, "showScaleBar": False, "showDefaultAnnotations": False}
    half = 20
    for layout, (down, across) in {"xy": (1, 2), "xz": (0, 2)}.items():
        rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
        place = np.zeros((3, *rows.shape), int)
        place[:] = np.array(voxel)[:, None, None]
        for axis, steps in ((down, rows), (across, columns)):
            # a pixel is as wide as a voxel along x
            place[axis] = np.floor((place_nm[axis] + steps * VOXEL_NM[2]) / VOXEL_NM[axis])
        inside = ((place >= 0) & (place < np.array(labels.shape)[:, None, None])).all(axis=0)
        clipped = [axis.clip(0, length - 1) for axis, length in zip(place, labels.shape)]
        seen = inside & (labels[tuple(clipped)] == labels[voxel])
        yield {"state": state | {"layout": layout}, "seen": seen.tolist(), "colour": [255, 255, 255]}


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder, served so that a page from elsewhere may read it."""

    class Readable(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=folder)

        def end_headers(self):
            self.send_header("Access-Control-Allow-Origin", "*")
            super().end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Readable) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def cost_rows(folder: Path) -> list[Row]:
    """What checksums and pyramid cost, beside Zarr 2 as zarr-python writes it by default."""
    rows = []
    for kind in VOLUMES.values():
        path = folder / f"{kind}.zarr"
        own = measure(write_finest, path, kind)
        plain = measure(write_plain, folder / f"{kind}_2.zarr", kind)
        levels = measure(fill_pyramid, path)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        finest = sum(file.stat().st_size for file in (path / "0").rglob("*") if file.is_file())
        what = f"{kind} of {Path(REAL[kind]).parent.name}, {np.prod(SPEED_SHAPE) / 1e6:.0f} Mvoxel"
        rows += [
            Row(f"{what}: written with checksums", own.result, "CPU-s", 1.25 * plain.result, True,
                "zarr==3.1.6, Zarr 2, beside", plain.result),
            Row(f"{what}: read with checksums", measure(read_finest, path).result, "CPU-s"),
            Row(f"{what}: pyramid", levels.cpu_s, "CPU-s"),
            Row(f"{what}: pyramid, peak memory", levels.peak_mb, "MB", 1000, True),
            Row(f"{what}: bytes of the pyramid, of those of the finest level", size / finest - 1, "fraction"),
        ]  # fmt: skip
    return rows


def speed_example(kind: Kind) -> np.ndarray:
    """Real labels, or real grey values mirrored to the same size."""
    data = open_volume(f"{DATA / REAL[kind]}")[tuple(slice(0, length) for length in SPEED_SHAPE)]
    margins = [(0, length - own) for length, own in zip(SPEED_SHAPE, data.shape)]
    return np.pad(data, margins, mode="symmetric").astype(np.uint64 if kind == "labels" else np.uint8)


def write_finest(path: Path, kind: Kind) -> float:
    """CPU-seconds of writing the finest level."""
    data = speed_example(kind)
    array = create_volume(path, data.shape, data.dtype, VOXEL_NM, CUBOID, kind=kind)
    return _cpu_s(lambda: array.__setitem__(slice(None), data))


def write_plain(path: Path, kind: Kind) -> float:
    """CPU-seconds of writing the same without checksums."""
    data = speed_example(kind)
    array = zarr.create_array(str(path), shape=data.shape, dtype=data.dtype, chunks=CUBOID, zarr_format=2)
    return _cpu_s(lambda: array.__setitem__(slice(None), data))


def read_finest(path: Path) -> float:
    """CPU-seconds of reading the finest level."""
    volume = open_volume(str(path))
    return _cpu_s(lambda: volume[:])


def _cpu_s(call) -> float:
    before = os.times()
    call()
    after = os.times()
    return after.user + after.system - before.user - before.system


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        write_rows("clients", [*client_rows(Path(temporary)), view_row(Path(temporary)), *cost_rows(Path(temporary))])
