"""A truncated TIFF is told from a short one, whatever wrote it and wherever it was cut."""

import numpy as np
import pytest
import tifffile

from spinome.io.tiff import require_whole_tiff

PIXELS = np.random.default_rng(0).integers(0, 255, (12, 64, 64), dtype=np.uint8)
KINDS = {
    "plain": {"metadata": None},
    "ome": {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 0.1}},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "compressed": {"compression": "zlib"},
    "bigtiff": {"bigtiff": True},
    "big_endian": {"byteorder": ">"},
    "tiled": {"tile": (32, 32)},
}


@pytest.fixture(params=KINDS)
def file(request, tmp_path):
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, PIXELS, **KINDS[request.param])
    return path


def test_a_whole_file_passes(file):
    require_whole_tiff(file)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.97])
def test_a_truncated_file_is_named(file, kept):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ValueError, match=r"stack\.tif: is truncated.*again"):
        require_whole_tiff(file)


@pytest.mark.parametrize("content", [b"", b"II", b"not a picture at all"])
def test_something_else_is_no_tiff(tmp_path, content):
    path = tmp_path / "stack.tif"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"stack\.tif: is empty or no TIFF"):
        require_whole_tiff(path)
