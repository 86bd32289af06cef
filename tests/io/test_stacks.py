"""Reading stacks: every format gives the same voxels and voxel size, and bad files give one clear message."""

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import zarr

from spinome.io import stacks
from spinome.io.stacks import open_stack, require_voxel_um
from spinome.io.volumes import write_volume

VOXEL = (1.5, 0.2, 0.25)


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 4000, (5, 24, 31), dtype=np.uint16)


def write_ome(path, data, axes="ZYX", **more):
    sizes = {f"PhysicalSize{axis}": size for axis, size in zip("ZYX", VOXEL)}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    tifffile.imwrite(path, data, metadata={"axes": axes, **sizes, **units}, ome=True, **more)
    return path


def write_imagej(path, data):
    resolution = (1 / VOXEL[2], 1 / VOXEL[1])
    metadata = {"axes": "ZYX", "spacing": VOXEL[0], "unit": "um"}
    tifffile.imwrite(path, data, imagej=True, resolution=resolution, metadata=metadata)
    return path


def write_zarr(path, data):
    write_volume(path, data, tuple(1000 * size for size in VOXEL))
    return path


@pytest.mark.parametrize("write", [write_ome, write_imagej, write_zarr])
def test_formats_give_the_same_voxels_and_size(tmp_path, stack, write):
    path = write(tmp_path / ("stack.zarr" if write is write_zarr else "stack.tif"), stack)
    opened = open_stack(path)
    assert opened.shape == stack.shape
    assert require_voxel_um(opened) == pytest.approx(VOXEL)
    np.testing.assert_array_equal(opened.read(), stack)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_bit_depth_is_kept(tmp_path, stack, dtype, compression):
    data = (stack // 16).astype(dtype)
    opened = open_stack(write_ome(tmp_path / "stack.ome.tif", data, compression=compression))
    assert opened.dtype == dtype
    np.testing.assert_array_equal(opened.read(), data)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_folder_is_read_in_the_order_of_its_numbers(tmp_path, suffix):
    data = np.arange(12, dtype=np.uint8)[:, None, None] * np.ones((1, 8, 9), np.uint8)
    for z, image in enumerate(data):
        imageio.imwrite(tmp_path / f"slice_{z}.{suffix}", image)
    opened = open_stack(tmp_path, voxel_um=VOXEL)
    np.testing.assert_array_equal(opened.read(), data)
    assert opened.voxel_um == VOXEL


def test_sheet_overrides_the_file(tmp_path, stack):
    assert open_stack(write_ome(tmp_path / "a.ome.tif", stack), voxel_um=(3.0, 1.0, 1.0)).voxel_um == (3.0, 1.0, 1.0)


@pytest.mark.parametrize(("axes", "order"), [("CZYX", (1, 0, 2, 3)), ("ZCYX", (0, 1, 2, 3))])
def test_channel_is_chosen(tmp_path, stack, axes, order):
    both = np.stack([stack, stack + 1], axis=1).transpose(order)
    path = write_ome(tmp_path / "two.ome.tif", both, axes)
    np.testing.assert_array_equal(open_stack(path, channel=1).read(), stack + 1)
    with pytest.raises(ValueError, match=r"two.ome.tif: has 2 channels; choose one in the column `channel`"):
        open_stack(path)
    with pytest.raises(ValueError, match="no channel 5"):
        open_stack(path, channel=5)


def open_scanimage(path, frames, facts, monkeypatch):
    """Frames as ScanImage saves them, with its header given in place of the bytes that it would write."""
    tifffile.imwrite(path, frames, photometric="minisblack", metadata=None)
    monkeypatch.setattr(tifffile.TiffFile, "scanimage_metadata", {"FrameData": facts})
    return stacks._open_scanimage(path, tifffile.TiffFile(path), None)


def test_scanimage_frames_of_a_slice_are_averaged(tmp_path, stack, monkeypatch):
    frames = np.repeat(stack, 4, axis=0) + np.tile(np.array([0, 2, 4, 6], np.uint16), 5)[:, None, None]
    facts = {
        "SI.hStackManager.framesPerSlice": 4,
        "SI.hStackManager.numSlices": 5,
        "SI.hStackManager.stackZStepSize": -1.5,
        "SI.hChannels.channelSave": 1,
        "SI.hRoiManager.imagingFovUm": [[0, 0], [7.75, 0], [7.75, 4.8], [0, 4.8]],
    }
    opened = open_scanimage(tmp_path / "si.tif", frames, facts, monkeypatch)
    assert opened.shape == stack.shape
    np.testing.assert_allclose(opened.read(), stack + 3.0)
    assert opened.voxel_um == pytest.approx((1.5, 0.2, 0.25))


def test_scanimage_fly_back_is_dropped_and_volumes_are_averaged(tmp_path, stack, monkeypatch):
    volume = np.concatenate([stack, np.full((2, *stack.shape[1:]), 9999, np.uint16)])
    facts = {
        "SI.hFastZ.enable": True,
        "SI.hFastZ.numDiscardFlybackFrames": 2,
        "SI.hFastZ.numFramesPerVolume": 7,
        "SI.hStackManager.numSlices": 5,
    }
    opened = open_scanimage(tmp_path / "si.tif", np.concatenate([volume, volume + 2]), facts, monkeypatch)
    np.testing.assert_allclose(opened.read(), stack + 1.0)
    assert opened.voxel_um is None


def test_prairie_folder(tmp_path, stack):
    frames = []
    for z, image in enumerate(stack):
        for channel in (1, 2):
            name = f"z_Cycle00001_Ch{channel}_{z + 1:06d}.ome.tif"
            tifffile.imwrite(tmp_path / name, image + channel)
        files = "".join(f'<File channel="{c}" filename="z_Cycle00001_Ch{c}_{z + 1:06d}.ome.tif" />' for c in (1, 2))
        frames.append(f'<Frame index="{z + 1}">{files}</Frame>')
    sizes = "".join(f'<IndexedValue index="{axis}Axis" value="{size}" />' for axis, size in zip("ZYX", VOXEL))
    state = f'<PVStateShard><PVStateValue key="micronsPerPixel">{sizes}</PVStateValue></PVStateShard>'
    sequence = f'<Sequence type="ZSeries">{"".join(frames)}</Sequence>'
    text = f'<?xml version="1.0"?><PVScan version="5.7">{state}{sequence}</PVScan>'
    (tmp_path / "z.xml").write_text(text)
    for path in (tmp_path, tmp_path / "z.xml", tmp_path / "z_Cycle00001_Ch2_000001.ome.tif"):
        opened = open_stack(path, channel=1)
        np.testing.assert_array_equal(opened.read(), stack + 2)
        assert opened.voxel_um == pytest.approx(VOXEL)
    (tmp_path / "z_Cycle00001_Ch2_000003.ome.tif").unlink()
    with pytest.raises(ValueError, match=r"z.xml: lists z_Cycle00001_Ch2_000003.ome.tif, which is not beside it"):
        open_stack(tmp_path, channel=1)


def test_ome_zarr_in_micrometres_with_a_channel(tmp_path, stack):
    group = zarr.open_group(str(tmp_path / "s.zarr"), mode="w", zarr_format=2)
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "zyx")]
    transform = [{"type": "scale", "scale": [1.0, *VOXEL]}]
    group.attrs["multiscales"] = [
        {"version": "0.4", "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transform}]}
    ]
    group.create_array("0", data=np.stack([stack, stack + 7]))
    opened = open_stack(tmp_path / "s.zarr", channel=1)
    np.testing.assert_array_equal(opened.read(), stack + 7)
    assert opened.voxel_um == pytest.approx(VOXEL)


def test_a_missing_voxel_size_names_file_and_columns(tmp_path, stack):
    tifffile.imwrite(tmp_path / "plain.tif", stack)
    with pytest.raises(ValueError, match=r"plain.tif: has no voxel size; set voxel_z_um, voxel_y_um and voxel_x_um"):
        require_voxel_um(open_stack(tmp_path / "plain.tif"))


def test_an_unset_imagej_resolution_is_no_voxel_size(tmp_path, stack):
    tifffile.imwrite(tmp_path / "ij.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    assert open_stack(tmp_path / "ij.tif").voxel_um is None


def test_bad_files_give_one_clear_message(tmp_path, stack):
    with pytest.raises(FileNotFoundError, match=r"none.tif: no such stack"):
        open_stack(tmp_path / "none.tif")
    (tmp_path / "empty.tif").touch()
    with pytest.raises(ValueError, match=r"empty.tif: is empty or no TIFF"):
        open_stack(tmp_path / "empty.tif")
    whole = write_ome(tmp_path / "whole.ome.tif", stack).read_bytes()
    (tmp_path / "cut.ome.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut.ome.tif: .*truncated"):
        open_stack(tmp_path / "cut.ome.tif").read()
    (tmp_path / "stack.xyz").touch()
    with pytest.raises(ValueError, match="unknown kind of stack"):
        open_stack(tmp_path / "stack.xyz")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="holds no PNG or TIFF slice"):
        open_stack(tmp_path / "nothing")


def test_slices_of_different_sizes(tmp_path):
    imageio.imwrite(tmp_path / "a_1.png", np.zeros((8, 9), np.uint8))
    imageio.imwrite(tmp_path / "a_2.png", np.zeros((8, 10), np.uint8))
    with pytest.raises(ValueError, match=r"a_2.png: is 8 x 10 and a_1.png is 8 x 9; all slices"):
        open_stack(tmp_path)
    with tifffile.TiffWriter(tmp_path / "pages.tif") as writer:
        writer.write(np.zeros((8, 9), np.uint8))
        writer.write(np.zeros((8, 10), np.uint8))
    with pytest.raises(ValueError, match=r"pages.tif: slices have different sizes"):
        open_stack(tmp_path / "pages.tif")


def test_values_that_are_not_finite(tmp_path):
    data = np.ones((3, 8, 9), np.float32)
    data[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="slice 1 has values that are not finite"):
        open_stack(write_ome(tmp_path / "nan.ome.tif", data)).read()


def test_real_stack(shared_data):
    opened = open_stack(shared_data("twophoton/rr30a_upper") / "tp1.ome.tif")
    assert opened.shape == (65, 320, 694)
    assert opened.voxel_um == pytest.approx((1.0, 0.12, 0.12))
    assert next(iter(opened.slices())).shape == (320, 694)
