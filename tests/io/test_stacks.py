"""Reading stacks: every format gives the same voxels and voxel size, and bad files give one clear message."""

import struct

import h5py
import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
import zarr

from spinome.io.opened_stack import require_voxel_um
from spinome.io.stacks import open_stack
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


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a_1", "a_2", "a_4", "a_5"], "a slice is missing or double: a_2.png is followed by a_4.png"),
        (["a_1", "a_01", "a_2", "a_3"], "a slice is missing or double: a_0?1.png comes twice"),
        (["a_c0_1", "a_c0_2", "a_c1_1", "a_c1_2"], "the names have several numbers"),
    ],
)
def test_a_folder_whose_slices_do_not_follow_each_other(tmp_path, names, message):
    for name in names:
        imageio.imwrite(tmp_path / f"{name}.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(ValueError, match=message):
        open_stack(tmp_path)


def test_times_beside_the_numbers_of_slices_do_no_harm(tmp_path):
    for z in range(3):
        imageio.imwrite(tmp_path / f"day7_{120 + 7 * z * z}_{z}.png", np.full((8, 9), z, np.uint8))
    assert open_stack(tmp_path).read()[:, 0, 0].tolist() == [0, 1, 2]


def test_twelve_bits_are_kept_in_a_folder_of_16(tmp_path, stack):
    for z, image in enumerate(stack):
        imageio.imwrite(tmp_path / f"{z}.png", image)
    opened = open_stack(tmp_path)
    assert opened.dtype == np.uint16
    np.testing.assert_array_equal(opened.read(), stack)


def test_slices_are_read_one_at_a_time(tmp_path, stack):
    path = write_ome(tmp_path / "s.ome.tif", stack)
    opened = open_stack(path)
    first = next(opened.slices())
    np.testing.assert_array_equal(first, stack[0])
    np.testing.assert_array_equal(opened.read_slice(3), stack[3])


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


def test_channels_by_their_names(tmp_path, stack):
    names = {"Channel": {"Name": ["GCaMP", "tdTomato"]}}
    metadata = {"axes": "CZYX", **names}
    tifffile.imwrite(tmp_path / "two.ome.tif", np.stack([stack, stack + 1]), metadata=metadata, ome=True)
    np.testing.assert_array_equal(open_stack(tmp_path / "two.ome.tif", channel="tdtomato").read(), stack + 1)
    with pytest.raises(ValueError, match=r"two.ome.tif: .* by number or name: 0 \(GCaMP\), 1 \(tdTomato\)"):
        open_stack(tmp_path / "two.ome.tif")
    with pytest.raises(ValueError, match=r"two.ome.tif: has no channels called 'Ch2'; it has 0 \(GCaMP\)"):
        open_stack(tmp_path / "two.ome.tif", channel="Ch2")


def write_scanimage(path, frames, facts, static=True):
    """A BigTIFF as ScanImage writes it: static settings behind the header (or in the pages alone), a page per frame."""
    text = "\n".join(f"{key} = {value}" for key, value in facts.items()).encode() + b"\0"
    head = struct.pack("<IIII", 0x07030301, 4, len(text), 0) + text if static else b""
    software = b"SI.x = 1\0" if static else text
    out = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) + head + software)
    place, software_at = 8, len(out) - len(software)
    for frame in frames:
        height, width = frame.shape
        data_at = len(out)
        out += frame.astype("<u2").tobytes()
        struct.pack_into("<Q", out, place, len(out))
        tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 1), (262, 3, 1, 1)]
        tags += [(273, 16, 1, data_at), (277, 3, 1, 1), (278, 4, 1, height), (279, 16, 1, frame.size * 2)]
        tags += [(305, 2, len(software), software_at), (339, 3, 1, 1)]
        out += struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags)
        place = len(out)
        out += struct.pack("<Q", 0)
    path.write_bytes(out)
    return path


SLICES = {
    "SI.hStackManager.framesPerSlice": 4,
    "SI.hStackManager.numSlices": 5,
    "SI.hStackManager.stackZStepSize": -1.5,
    "SI.hChannels.channelSave": 1,
    "SI.hRoiManager.imagingFovUm": "[0 0;7.75 0;7.75 4.8;0 4.8]",
}


@pytest.mark.parametrize("static", [True, False])
def test_scanimage_frames_of_a_slice_are_averaged(tmp_path, stack, static):
    frames = np.repeat(stack, 4, axis=0) + np.tile(np.array([0, 2, 4, 6], np.uint16), 5)[:, None, None]
    opened = open_stack(write_scanimage(tmp_path / "si.tif", frames, SLICES, static))
    assert opened.shape == stack.shape
    np.testing.assert_allclose(opened.read(), stack + 3.0)
    assert opened.voxel_um == pytest.approx((1.5, 0.2, 0.25))


def test_scanimage_averages_that_were_made_while_scanning_are_not_made_again(tmp_path, stack):
    facts = SLICES | {"SI.hScan2D.logAverageFactor": 4}
    opened = open_stack(write_scanimage(tmp_path / "si.tif", stack, facts))
    assert opened.dtype == np.uint16
    np.testing.assert_array_equal(opened.read(), stack)


def test_scanimage_fly_back_is_dropped_and_volumes_are_averaged(tmp_path, stack):
    volume = np.concatenate([stack, np.full((2, *stack.shape[1:]), 9999, np.uint16)])
    facts = {
        "SI.hFastZ.enable": "true",
        "SI.hFastZ.numDiscardFlybackFrames": 2,
        "SI.hFastZ.numFramesPerVolume": 7,
        "SI.hStackManager.numSlices": 5,
    }
    opened = open_stack(write_scanimage(tmp_path / "si.tif", np.concatenate([volume, volume + 2]), facts))
    np.testing.assert_allclose(opened.read(), stack + 1.0)
    assert opened.voxel_um is None


def test_scanimage_channels_take_turns(tmp_path, stack):
    facts = SLICES | {"SI.hStackManager.framesPerSlice": 1, "SI.hChannels.channelSave": "[1;3]"}
    frames = np.stack([stack, stack + 7], axis=1).reshape(-1, *stack.shape[1:])
    path = write_scanimage(tmp_path / "si.tif", frames, facts)
    for channel in (1, "Channel 3", "ch3"):
        np.testing.assert_array_equal(open_stack(path, channel=channel).read(), stack + 7)
    with pytest.raises(ValueError, match=r"si.tif: has 2 channels; choose one .*: 0 \(Channel 1\), 1 \(Channel 3\)"):
        open_stack(path)
    with pytest.raises(ValueError, match=r"si.tif: has no channel 3, it has 2, counted from 0: 0 \(Channel 1\)"):
        open_stack(path, channel=3)


def test_scanimage_files_that_say_too_little_or_are_cut(tmp_path, stack):
    with pytest.raises(ValueError, match=r"si.tif: is of ScanImage and its header says nothing of slices"):
        open_stack(write_scanimage(tmp_path / "si.tif", stack, {"SI.VERSION_MAJOR": 2023}))
    with pytest.raises(ValueError, match=r"cut.tif: is truncated, its header promises 5 slices and it ends after 19"):
        open_stack(write_scanimage(tmp_path / "cut.tif", np.repeat(stack, 4, axis=0)[:-1], SLICES))


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
        # Bruker counts from 1
        for channel in (1, "Ch2"):
            opened = open_stack(path, channel)
            np.testing.assert_array_equal(opened.read(), stack + 2)
            assert opened.voxel_um == pytest.approx(VOXEL)
    with pytest.raises(
        ValueError, match=r"z.xml: has 2 channels; choose one .* by number or name: 0 \(Ch1\), 1 \(Ch2\)"
    ):
        open_stack(tmp_path)
    # users name channels at the microscope; the numbers in file names hold as well
    named = text.replace('channel="1"', 'channel="1" channelName="Red"').replace(
        'channel="2"', 'channel="2" channelName="GCaMP"'
    )
    (tmp_path / "z.xml").write_text(named)
    for channel in ("gcamp", "Ch2", "ch2", 1):
        np.testing.assert_array_equal(open_stack(tmp_path, channel).read(), stack + 2)
    with pytest.raises(ValueError, match=r"no channels called 'Ch3'; it has 0 \(Red\), 1 \(GCaMP\)"):
        open_stack(tmp_path, "Ch3")
    (tmp_path / "z.xml").write_text(named.replace("Red", "Ch2").replace("GCaMP", "Ch1"))
    np.testing.assert_array_equal(open_stack(tmp_path, "Ch2").read(), stack + 1)
    (tmp_path / "z.xml").write_text(text)
    (tmp_path / "lacks").mkdir()
    (tmp_path / "lacks" / "z.xml").write_text(
        text.replace('channel="2" filename="z_Cycle00001_Ch2_000003', 'channel="3" filename="x')
    )
    with pytest.raises(ValueError, match=r"z.xml: lists 5 planes and 4 images of channel 2"):
        open_stack(tmp_path / "lacks", channel=1)
    for said, lack in ((' channel="1"', "File lacks its channel"), (' value="', "IndexedValue lacks its value")):
        (tmp_path / "lacks" / "z.xml").write_text(text.replace(said, said.replace("=", "s="), 1))
        for image in tmp_path.glob("*.tif"):
            (tmp_path / "lacks" / image.name).write_bytes(image.read_bytes())
        with pytest.raises(ValueError, match=f"z.xml: an element {lack}; copy or export"):
            open_stack(tmp_path / "lacks", channel=1)
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
    group.attrs["omero"] = {"channels": [{"label": "green"}, {"label": "red"}]}
    for channel in (1, "Red"):
        opened = open_stack(tmp_path / "s.zarr", channel)
        np.testing.assert_array_equal(opened.read(), stack + 7)
        assert opened.voxel_um == pytest.approx(VOXEL)


def write_nwb(path, series, spacing=None, unit="meters"):
    """Image series in the layout of NWB's schema 2: data (frame, x, y[, z]), spacing of the imaging plane x, y[, z]."""
    with h5py.File(path, "w") as file:
        plane = file.create_group("general/optophysiology/plane")
        if spacing is not None:
            plane["grid_spacing"] = np.array(spacing, np.float32)
            plane["grid_spacing"].attrs["unit"] = unit
        for name, data in series.items():
            group = file.create_group(f"acquisition/{name}")
            group.attrs["neurodata_type"] = "TwoPhotonSeries"
            group["data"] = data
            group["imaging_plane"] = h5py.SoftLink("/general/optophysiology/plane")
    return path


def test_nwb_volume(tmp_path, stack):
    volume = stack.transpose(2, 1, 0)[None]
    opened = open_stack(write_nwb(tmp_path / "s.nwb", {"v": volume}, [0.25e-6, 0.2e-6, 1.5e-6]))
    assert opened.voxel_um == pytest.approx(VOXEL) and opened.dtype == np.uint16
    np.testing.assert_array_equal(opened.read(), stack)
    microns = open_stack(write_nwb(tmp_path / "um.nwb", {"v": volume}, [0.25, 0.2, 1.5], "micrometers"))
    assert microns.voxel_um == pytest.approx(VOXEL)


def test_nwb_planes_need_the_sheet_s_voxel_size(tmp_path, stack):
    path = write_nwb(tmp_path / "s.nwb", {"v": stack.transpose(0, 2, 1)}, [0.25e-6, 0.2e-6])
    opened = open_stack(path)
    np.testing.assert_array_equal(opened.read(), stack)
    with pytest.raises(ValueError, match=r"s.nwb: has no voxel size"):
        require_voxel_um(opened)
    assert require_voxel_um(open_stack(path, voxel_um=VOXEL)) == VOXEL


def test_nwb_files_that_are_no_one_stack(tmp_path, stack):
    planes = stack.transpose(0, 2, 1)
    two = write_nwb(tmp_path / "two.nwb", {"green": planes, "red": planes + 1})
    np.testing.assert_array_equal(open_stack(f"{two}::red").read(), stack + 1)
    with pytest.raises(ValueError, match=r"two.nwb: has the image series acquisition/green, acquisition/red; write"):
        open_stack(two)
    with pytest.raises(ValueError, match=r"split the file by \['T'\]"):
        open_stack(write_nwb(tmp_path / "time.nwb", {"v": np.stack([planes, planes])}))
    with pytest.raises(ValueError, match=r"out.nwb: keeps the images of acquisition/v in other files"):
        open_stack(write_nwb(tmp_path / "out.nwb", {"v": np.zeros((0, 0, 0))}))
    (tmp_path / "bad.nwb").write_bytes(b"no hdf5")
    with pytest.raises(ValueError, match=r"bad.nwb: is truncated or no NWB file"):
        open_stack(tmp_path / "bad.nwb")


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


@pytest.mark.parametrize("options", [{}, {"ome": True}, {"imagej": False, "compression": "zlib"}])
def test_slices_that_were_added_to_a_tiff_one_by_one_are_one_stack(tmp_path, options):
    data = np.random.default_rng(0).integers(0, 99, (6, 8, 9)).astype(np.uint16)
    kinds = {key: options.pop(key) for key in ("ome", "imagej") if key in options}
    with tifffile.TiffWriter(tmp_path / "added.tif", **kinds) as writer:
        for image in data:
            writer.write(image, **options)
    opened = open_stack(tmp_path / "added.tif")
    assert opened.shape == data.shape
    np.testing.assert_array_equal(opened.read(), data)


def test_a_zarr_whose_x_comes_before_its_y(tmp_path):
    data = np.random.default_rng(0).integers(0, 99, (3, 8, 9)).astype(np.uint16)
    group = zarr.open_group(str(tmp_path / "s.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=data.transpose())
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "xyz"]
    scale = [{"type": "scale", "scale": [0.1, 0.2, 1.0]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    opened = open_stack(tmp_path / "s.zarr")
    assert opened.voxel_um == pytest.approx((1.0, 0.2, 0.1))
    np.testing.assert_array_equal(opened.read(), data)


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
