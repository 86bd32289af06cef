"""Every format gives the same voxels and voxel size; every defect gives one message that names the file."""

import gzip
import http.server
import threading

import h5py
import numpy as np
import pytest
import tensorstore
import tifffile
import zarr

from spinome.io.atomic import atomic
from spinome.io.volumes import (
    EM,
    STACK,
    Volume,
    create_volume,
    fingerprint,
    open_labels,
    open_probability,
    open_volume,
    require_same_grid,
    require_voxel_size,
    write_volume,
)

VOXEL_NM = (40.0, 8.0, 6.0)
DATA = np.random.default_rng(0).integers(0, 1000, (5, 7, 9)).astype(np.uint16)


def write_zarr(folder):
    write_volume(folder / "v.zarr", DATA, VOXEL_NM, chunks=(2, 4, 4), name="image")
    return f"{folder / 'v.zarr'}::image"


def write_zarr_with_channel(folder):
    """OME-Zarr 0.4: Zarr 2, the metadata in an attribute of its own, here with a time and a channel."""
    group = zarr.open_group(str(folder / "v.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA[None, None])
    space = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
    axes = [{"name": "t", "type": "time", "unit": "second"}, {"name": "c"}, *space]
    scale = [{"type": "scale", "scale": [1.0, 1.0, *VOXEL_NM]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    return str(folder / "v.zarr")


def write_newer_zarr(folder):
    """OME-Zarr 0.5: Zarr 3, the metadata within `ome`, here with a unit and size for each axis."""
    group = zarr.open_group(str(folder / "v.zarr"), mode="w", zarr_format=3)
    group.create_array("s0", data=DATA[None])
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "zyx")]
    scale = [{"type": "scale", "scale": [1.0, *(size / 1000 for size in VOXEL_NM)]}]
    datasets = [{"path": "s0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return str(folder / "v.zarr")


def write_hdf5(folder):
    with h5py.File(folder / "v.h5", "w") as file:
        file.create_dataset("a/raw", data=DATA).attrs["voxel_size_nm_zyx"] = VOXEL_NM
    return f"{folder / 'v.h5'}::a/raw"


def write_ome_tiff(folder):
    sizes = {f"PhysicalSize{axis}": size / 1000 for axis, size in zip("ZYX", VOXEL_NM)}
    units = {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    tifffile.imwrite(folder / "v.ome.tif", DATA, metadata={"axes": "ZYX", **sizes, **units}, compression="zlib")
    return str(folder / "v.ome.tif")


def write_sections(folder):
    """One file per section, whose names sort otherwise as text."""
    (folder / "v").mkdir()
    for number, section in enumerate(DATA, start=8):
        tifffile.imwrite(folder / "v" / f"s{number}.TIF", section)
    return str(folder / "v")


def write_turned_zarr(folder):
    """OME-Zarr 0.5 with its axes in the order x, y, z, one of a channel behind them."""
    group = zarr.open_group(str(folder / "v.zarr"), mode="w", zarr_format=3)
    group.create_array("s0", data=DATA.transpose()[..., None])
    axes = [*({"name": a, "type": "space", "unit": "nanometer"} for a in "xyz"), {"name": "c", "type": "channel"}]
    scale = [{"type": "scale", "scale": [*VOXEL_NM[::-1], 1.0]}]
    datasets = [{"path": "s0", "coordinateTransformations": scale}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
    return str(folder / "v.zarr")


def write_gzipped_precomputed(folder):
    """As cloud-volume writes a folder: each chunk a file of its own, gzipped."""
    path = write_precomputed(folder)
    (scale,) = (file for file in (folder / "v").iterdir() if file.is_dir())
    for chunk in scale.iterdir():
        chunk.with_name(f"{chunk.name}.gz").write_bytes(gzip.compress(chunk.read_bytes()))
        chunk.unlink()
    return path


def write_section_by_section(folder):
    """A TIFF to which a program added one section after the other."""
    with tifffile.TiffWriter(folder / "v.tif") as writer:
        for section in DATA:
            writer.write(section, compression="zlib")
    return str(folder / "v.tif")


def write_precomputed(folder, encoding="raw", data_type="uint16", kind="image"):
    store = tensorstore.open(
        {
            "driver": "neuroglancer_precomputed",
            "kvstore": {"driver": "file", "path": str(folder / "v")},
            "multiscale_metadata": {"data_type": data_type, "num_channels": 1, "type": kind},
            "scale_metadata": {
                "size": DATA.shape[::-1],
                "resolution": VOXEL_NM[::-1],
                "encoding": encoding,
                "chunk_size": [4, 4, 2],
                "voxel_offset": [11, 22, 33],
            },
        },
        create=True,
    ).result()
    store[..., 0].write(DATA.transpose()).result()
    return str(folder / "v")


@pytest.fixture
def served(tmp_path):
    """The address of a folder served as a public bucket is, and the paths that are asked of it."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=tmp_path)

        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


FORMATS = [
    write_zarr,
    write_zarr_with_channel,
    write_newer_zarr,
    write_turned_zarr,
    write_hdf5,
    write_ome_tiff,
    write_precomputed,
    write_gzipped_precomputed,
]


@pytest.mark.parametrize("write", FORMATS)
def test_formats_agree(write, tmp_path):
    volume = open_volume(write(tmp_path))
    assert volume.shape == DATA.shape
    assert volume.dtype == DATA.dtype
    assert volume.voxel_nm == pytest.approx(VOXEL_NM)
    first = dict.fromkeys([write_precomputed, write_gzipped_precomputed], (33, 22, 11))
    first |= dict.fromkeys([write_zarr_with_channel, write_newer_zarr, write_turned_zarr], (-0.5,) * 3)
    assert volume.corner == first.get(write, (0, 0, 0))
    np.testing.assert_array_equal(volume[1:4, 2:, :5], DATA[1:4, 2:, :5])
    np.testing.assert_array_equal(volume[:], DATA)
    np.testing.assert_array_equal(volume[2], DATA[2])


def test_sections_that_were_added_to_a_tiff_one_by_one_are_one_volume(tmp_path):
    volume = open_volume(write_section_by_section(tmp_path))
    np.testing.assert_array_equal(volume[:], DATA)
    np.testing.assert_array_equal(volume[2:4, 1:, ::2], DATA[2:4, 1:, ::2])


def test_sections_that_are_each_stored_in_a_way_of_its_own_are_read_as_they_are(tmp_path):
    data = np.random.default_rng(1).integers(0, 999, (4, 64, 96)).astype(np.uint16)
    kinds = [{"tile": (16, 32)}, {"tile": (32, 16), "compression": "zlib"}, {"rowsperstrip": 7}, {}]
    with tifffile.TiffWriter(tmp_path / "v.tif") as writer:
        for section, options in zip(data, kinds):
            writer.write(section[None], **options)
    volume = open_volume(str(tmp_path / "v.tif"))
    np.testing.assert_array_equal(volume[:], data)
    np.testing.assert_array_equal(volume[1:4:2, 3:50, 5:90:2], data[1:4:2, 3:50, 5:90:2])


@pytest.mark.parametrize("options", [{"subfiletype": 1}, {"ome": True, "metadata": {"Name": "thumbnail image"}}])
def test_a_thumbnail_beside_a_volume_does_not_count(tmp_path, options):
    with tifffile.TiffWriter(tmp_path / "v.tif", ome=options.pop("ome", None)) as writer:
        writer.write(DATA, photometric="minisblack")
        writer.write(DATA[0, ::2, ::2], **options)
    np.testing.assert_array_equal(open_volume(str(tmp_path / "v.tif"))[:], DATA)


def test_a_tiff_of_several_volumes_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(DATA)
        writer.write(DATA[:3, :-1])
    with pytest.raises(ValueError, match=r"two\.tif: holds 2 images \(3 x 6 x 9 and 5 x 7 x 9\).*file of its own"):
        open_volume(str(tmp_path / "two.tif"))


def test_a_tiff_whose_sections_lie_in_other_files_needs_all_of_them(tmp_path):
    ids = [f"s{number}.ome.tif" for number in range(3)]
    planes = "".join(
        f'<TiffData FirstZ="{n}" IFD="0" PlaneCount="1"><UUID FileName="{name}">urn:uuid:{n}</UUID></TiffData>'
        for n, name in enumerate(ids)
    )
    for number, name in enumerate(ids):
        text = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{number}">'
            '<Image ID="Image:0">'
            f'<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="9" SizeY="7" SizeZ="3" SizeC="1" '
            f'SizeT="1"><Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(tmp_path / name, DATA[number], description=text, metadata=None)
    np.testing.assert_array_equal(open_volume(str(tmp_path / ids[0]))[:], DATA[:3])
    (tmp_path / ids[1]).unlink()
    with pytest.raises(ValueError, match=r"s0\.ome\.tif: lacks pages that its description promises"):
        open_volume(str(tmp_path / ids[0]))


def test_channels_of_a_zarr_are_no_sections(tmp_path):
    group = zarr.open_group(str(tmp_path / "v.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA)
    axes = [{"name": axis} for axis in "cyx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [{"path": "0"}]}]
    with pytest.raises(ValueError, match=r"three filled axes .* the axes c, y, x of shape"):
        open_volume(str(tmp_path / "v.zarr"))


@pytest.mark.parametrize("depth", ["z", "section", None])
def test_names_of_the_axes_of_a_plain_zarr_count(tmp_path, depth):
    path = str(tmp_path / "v.zarr")
    zarr.create_array(path, data=DATA.transpose(), dimension_names=["x", "y", depth], zarr_format=3)
    np.testing.assert_array_equal(open_volume(path)[:], DATA)


def test_a_damaged_chunk_of_a_gzipped_volume_is_named(tmp_path):
    path = write_gzipped_precomputed(tmp_path)
    chunk = next((tmp_path / "v").glob("*/*.gz"))
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(ValueError, match=f"chunk {chunk.stem} is damaged"):
        open_volume(path)[:]


def test_chunks_that_are_packed_in_another_way_are_refused(tmp_path):
    path = write_gzipped_precomputed(tmp_path)
    for chunk in list((tmp_path / "v").glob("*/*.gz")):
        chunk.rename(chunk.with_suffix(".br"))
    with pytest.raises(ValueError, match=r"chunks are packed as \.br; write them unpacked"):
        open_volume(path)


@pytest.mark.parametrize("data_type", ["uint32", "uint64"])
def test_compressed_segmentation(tmp_path, data_type):
    volume = open_labels(write_precomputed(tmp_path, "compressed_segmentation", data_type, "segmentation"))
    assert volume.dtype == data_type
    np.testing.assert_array_equal(volume[1:4, 2:, :5], DATA[1:4, 2:, :5])


def test_a_public_address_is_read_where_it_is_sliced(tmp_path, served):
    write_precomputed(tmp_path)
    address, asked = served
    volume = open_volume(f"{address}/v")
    assert (volume.shape, volume.voxel_nm) == (DATA.shape, VOXEL_NM)
    np.testing.assert_array_equal(volume[1:2, :4, :4], DATA[1:2, :4, :4])
    # one chunk, and what says how the volume is stored
    assert len({path for path in asked if "info" not in path}) == 1
    assert fingerprint(f"{address}/v") == fingerprint(f"{address}/v")
    with pytest.raises(ValueError, match="/none: is not a readable Neuroglancer"):
        open_volume(f"{address}/none")


def test_sections_in_a_folder(tmp_path):
    volume = open_volume(write_sections(tmp_path), VOXEL_NM)
    np.testing.assert_array_equal(volume[1:4, 2:, :5], DATA[1:4, 2:, :5])
    np.testing.assert_array_equal(volume[:], DATA)
    before = fingerprint(str(tmp_path / "v"))
    tifffile.imwrite(tmp_path / "v" / "s9.TIF", DATA[1][:5])
    assert fingerprint(str(tmp_path / "v")) != before
    with pytest.raises(ValueError, match=r"s9\.TIF: is a section of \(5, 9\) uint16, s8\.TIF of \(7, 9\)"):
        open_volume(str(tmp_path / "v"))


def test_sample_sheet_overrides_the_voxel_size_of_the_file(tmp_path):
    assert open_volume(write_hdf5(tmp_path), (30.0, 6.0, 6.0)).voxel_nm == (30.0, 6.0, 6.0)


def test_the_size_of_a_voxel_by_level_and_for_all_levels(tmp_path):
    group = zarr.open_group(str(tmp_path / "v.zarr"), mode="w", zarr_format=2)
    group.create_array("0", data=DATA)
    level = [{"type": "scale", "scale": [2.0, 1.0, 1.0]}, {"type": "translation", "translation": [4.0, 0.0, 1.0]}]
    image = {
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [{"path": "0", "coordinateTransformations": level}],
        "coordinateTransformations": [{"type": "scale", "scale": [20.0, 8.0, 6.0]}],
    }
    group.attrs["multiscales"] = [image]
    volume = open_volume(str(tmp_path / "v.zarr"))
    assert volume.voxel_nm == VOXEL_NM and volume.corner == (1.5, -0.5, 0.5)


def test_volumes_share_a_store(tmp_path):
    for name in ("image", "labels"):
        create_volume(tmp_path / "v.zarr", DATA.shape, np.uint8, VOXEL_NM, (4, 4, 4), name)[:] = len(name)
    assert open_volume(f"{tmp_path / 'v.zarr'}::image")[0, 0, 0] == 5
    assert open_volume(f"{tmp_path / 'v.zarr'}::labels")[0, 0, 0] == 6


def test_missing_voxel_size_names_the_columns_that_set_it(tmp_path):
    tifffile.imwrite(tmp_path / "v.tif", DATA)
    with pytest.raises(ValueError, match=r"v\.tif.*voxel_z_nm"):
        require_voxel_size(open_volume(str(tmp_path / "v.tif")))


@pytest.mark.parametrize(
    "stored",
    [
        np.array([0, 1], np.uint8),
        np.array([0, 1], bool),
        np.array([0, 255], np.uint8),
        np.array([0, 65535], np.uint16),
        np.array([np.nan, 1], np.float16),
    ],
    ids=["mask", "bool", "uint8", "uint16", "float"],
)
def test_a_stored_map_becomes_probabilities(tmp_path, stored):
    values = np.tile(stored, (3, 4, 5))
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["map"] = values
    volume = open_probability(f"{tmp_path}/map.h5::map", (1, 1, 1))
    assert volume.shape == values.shape and volume.dtype == np.float32
    # a section without any membrane has the scale of the whole
    np.testing.assert_array_equal(volume[1:2], np.tile(np.float32([0, 1]), (1, 4, 5)))


@pytest.mark.parametrize("stored", [np.array([0.0, 200.0]), np.array([0, 7], np.int32)], ids=["float", "labels"])
def test_a_map_that_is_no_probability_is_refused_by_name(tmp_path, stored):
    with h5py.File(tmp_path / "map.h5", "w") as file:
        file["map"] = np.tile(stored, (3, 4, 5))
    with pytest.raises(ValueError, match=r"map\.h5"):
        open_probability(f"{tmp_path}/map.h5::map", (1, 1, 1))[:]


def test_labels_must_be_integers(tmp_path):
    write_volume(tmp_path / "v.zarr", DATA.astype(np.float32), VOXEL_NM)
    with pytest.raises(ValueError, match=r"v\.zarr: labels must be integers"):
        open_labels(str(tmp_path / "v.zarr"))


def cut_short(folder):
    path = folder / "cut.tif"
    path.write_bytes(b"")
    return str(path), "cut.tif: is empty or no TIFF"


def wrong_data_set(folder):
    return write_hdf5(folder).replace("a/raw", "raw"), "has no data set 'raw'.*a/raw"


def not_hdf5(folder):
    (folder / "text.h5").write_text("hello")
    return f"{folder / 'text.h5'}::raw", "text.h5: is not a readable HDF5 file"


def flat(folder):
    with h5py.File(folder / "flat.h5", "w") as file:
        file["raw"] = DATA[0]
    return f"{folder / 'flat.h5'}::raw", "three filled axes"


def in_colour(folder):
    tifffile.imwrite(folder / "rgb.tif", np.zeros((9, 8, 3), np.uint8), photometric="rgb")
    return str(folder / "rgb.tif"), "rgb.tif: is in colour; export it in grey values"


def unknown_kind(folder):
    (folder / "v.nrrd").write_text("")
    return str(folder / "v.nrrd"), "v.nrrd: unknown kind of volume"


def wrong_scale(folder):
    return f"{write_precomputed(folder)}::1_1_1", "has no scale '1_1_1'"


def group_without_name(folder):
    return write_zarr(folder).partition("::")[0], "without multiscales.*image"


def damaged_metadata(folder):
    write_zarr_with_channel(folder)
    zarr.open_group(str(folder / "v.zarr"), mode="a").attrs["multiscales"] = [{"version": "0.4"}]
    return str(folder / "v.zarr"), r"v.zarr: its multiscales metadata are damaged \(KeyError\('datasets'\)\); write"


def axes_that_do_not_fit(folder):
    write_zarr_with_channel(folder)
    group = zarr.open_group(str(folder / "v.zarr"), mode="a")
    group.attrs["multiscales"] = [{**group.attrs["multiscales"][0], "axes": [{"name": axis} for axis in "zyx"]}]
    return str(folder / "v.zarr"), "v.zarr: its metadata name 3 axes, its array has 5"


def test_three_sections_are_no_colours(tmp_path):
    tifffile.imwrite(tmp_path / "three.tif", DATA[:3].astype(np.uint8), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(open_volume(str(tmp_path / "three.tif"))[:], DATA[:3].astype(np.uint8))


@pytest.mark.parametrize("section", [DATA[0], DATA[:1]])
@pytest.mark.parametrize("options", [{}, {"imagej": True}, {"ome": True}])
def test_a_single_section_is_a_volume(tmp_path, section, options):
    tifffile.imwrite(tmp_path / "section.tif", section, **options)
    volume = open_volume(str(tmp_path / "section.tif"))
    assert volume.shape == (1, *DATA.shape[1:])
    np.testing.assert_array_equal(volume[0:1, 1:3, 2:5], DATA[:1, 1:3, 2:5])
    assert volume[0:0].shape == (0, *DATA.shape[1:])


@pytest.mark.parametrize(
    "make",
    [
        damaged_metadata,
        axes_that_do_not_fit,
        cut_short,
        wrong_data_set,
        not_hdf5,
        flat,
        in_colour,
        unknown_kind,
        wrong_scale,
        group_without_name,
    ],
)
def test_defects_name_the_file(make, tmp_path):
    source, message = make(tmp_path)
    with pytest.raises(ValueError, match=message):
        open_volume(source)


def test_absent_volume(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.zarr: no such volume"):
        open_volume(str(tmp_path / "none.zarr"))


def test_volumes_of_one_row_share_a_grid():
    image = Volume(DATA, VOXEL_NM, "image.h5")
    require_same_grid([image, Volume(DATA, None, "mask.tif")])
    with pytest.raises(ValueError, match=r"mask\.tif: has shape .*image\.h5"):
        require_same_grid([image, Volume(DATA[1:], VOXEL_NM, "mask.tif")])
    with pytest.raises(ValueError, match=r"mask\.tif: has voxels of .*image\.h5"):
        require_same_grid([image, Volume(DATA, (30.0, 8.0, 6.0), "mask.tif")])


def test_volumes_of_one_row_that_state_other_places_are_refused():
    here, near, away = (
        Volume(DATA, VOXEL_NM, name, corner)
        for name, corner in (("a", (30.0, 200.0, 100.0)), ("b", (30.0, 200.0, 100.5)), ("c", (30.0, 200.0, 140.0)))
    )
    unstated = Volume(DATA, VOXEL_NM, "d", (-0.5, -0.5, -0.5))
    require_same_grid([here, near, unstated])
    for volumes in ([here, away], [unstated, here, away]):
        with pytest.raises(ValueError, match=r"c: begins at voxel .*140.*a at .*100.*offsets"):
            require_same_grid(volumes)


def test_a_sparse_map_that_was_taken_for_a_mask_is_refused_where_it_is_read(tmp_path):
    stored = np.zeros((200, 4, 4), np.uint8)
    stored[34] = 200
    write_volume(tmp_path / "p.zarr", stored, VOXEL_NM)
    volume = open_probability(str(tmp_path / "p.zarr"))
    assert volume[:20].max() == 0
    with pytest.raises(ValueError, match=r"holds 200, and nothing above 1 in the eight sections.*floats"):
        volume[30:40]


def test_fingerprint_changes_when_a_volume_is_written_anew(tmp_path):
    source = write_zarr(tmp_path)
    before = fingerprint(source)
    assert fingerprint(source) == before
    write_zarr(tmp_path)
    assert fingerprint(source) != before


def multiscales_of(path):
    (image,) = zarr.open_group(str(path), mode="r").attrs["ome"]["multiscales"]
    return image


def test_a_volume_is_named_by_its_folder_and_not_by_a_temporary_one(tmp_path):
    with atomic(tmp_path / "cells.zarr") as part:
        write_volume(part, DATA, VOXEL_NM)
        write_volume(part, DATA, VOXEL_NM, name="image")
    assert multiscales_of(tmp_path / "cells.zarr")["name"] == "cells"
    assert multiscales_of(tmp_path / "cells.zarr" / "image")["name"] == "image"


@pytest.mark.parametrize(
    ("space", "unit", "finest", "first", "second"),
    [
        (EM, "nanometer", [40, 8, 6], [20, 4, 3], [20, 8, 6]),
        (STACK, "micrometer", [0.04, 0.008, 0.006], [0, 0, 0], [0, 0.004, 0.003]),
    ],
)
def test_levels_lie_on_each_other_and_on_the_tables(tmp_path, space, unit, finest, first, second):
    write_volume(tmp_path / "v.zarr", np.ones((4, 100, 100), np.uint8), VOXEL_NM, kind="image", space=space)
    image = multiscales_of(tmp_path / "v.zarr")
    assert {axis["unit"] for axis in image["axes"]} == {unit} and image["type"] == "mean"
    scales, translations = zip(
        *(
            (scale["scale"], translation["translation"])
            for scale, translation in (level["coordinateTransformations"] for level in image["datasets"])
        )
    )
    assert scales[0] == pytest.approx(finest) and translations[0] == pytest.approx(first, abs=1e-12)
    assert scales[1] == pytest.approx(np.array(finest) * [1, 2, 2])
    assert translations[1] == pytest.approx(second, abs=1e-12)
    assert open_volume(str(tmp_path / "v.zarr")).voxel_nm == pytest.approx(VOXEL_NM)


def test_the_coarser_levels_of_a_volume(tmp_path):
    labels = np.zeros((4, 100, 130), np.uint32)
    labels[:, :50] = 7
    write_volume(tmp_path / "labels.zarr", labels, VOXEL_NM, chunks=(2, 32, 32))
    write_volume(tmp_path / "image.zarr", labels.astype(np.uint8) * 30, VOXEL_NM, chunks=(3, 20, 30), kind="image")
    for name, factor in (("labels", 1), ("image", 30)):
        levels = [open_volume(str(tmp_path / f"{name}.zarr" / f"{level}"))[:] for level in range(3)]
        assert [level.shape for level in levels] == [(4, 100, 130), (4, 50, 65), (4, 25, 33)]
        for level in levels[:2]:
            np.testing.assert_array_equal(level, factor * labels[:, :: 100 // level.shape[1], : level.shape[2]])
    assert set(np.unique(open_volume(str(tmp_path / "labels.zarr" / "2"))[:])) == {0, 7}


def test_metadata_are_valid_by_the_models_of_the_field(tmp_path):
    models = pytest.importorskip("ome_zarr_models", reason="ome-zarr-models is not installed")
    write_volume(tmp_path / "v.zarr", np.ones((4, 100, 100), np.uint64), VOXEL_NM)
    write_volume(tmp_path / "stack.zarr", np.ones((4, 100, 100), np.uint16), VOXEL_NM, kind="image", space=STACK)
    for name in ("v", "stack"):
        image = models.open_ome_zarr(zarr.open_group(str(tmp_path / f"{name}.zarr"), mode="r"))
        assert image.attributes.ome.version == "0.5"
        assert [one.path for one in image.attributes.ome.multiscales[0].datasets] == ["0", "1"]


def test_labels_and_probabilities_clip_as_volumes_do(tmp_path):
    stored = (DATA % 2).astype(np.uint8)
    write_volume(tmp_path / "v.zarr", stored, VOXEL_NM, chunks=(2, 4, 4))
    for opened, dtype in (
        (open_labels(str(tmp_path / "v.zarr")), np.uint8),
        (open_probability(str(tmp_path / "v.zarr")), np.float32),
    ):
        for key in (np.s_[3:99, -99:4, ::-2], np.s_[9:, :, :], np.s_[-1, 0, 8]):
            found = opened[key]
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, stored[key])


@pytest.mark.parametrize(
    "size", [[8.0, 8.0], [8.0], 8.0, [[40.0, 8.0, 8.0]], [40.0, 8.0, -8.0], [40.0, 8.0, np.nan], "8"]
)
def test_a_voxel_size_of_hdf5_that_is_none_is_refused_unless_the_sheet_has_one(tmp_path, size):
    source = write_hdf5(tmp_path)
    with h5py.File(source.partition("::")[0], "a") as file:
        file["a/raw"].attrs["voxel_size_nm_zyx"] = size
    with pytest.raises(ValueError, match=r"v\.h5::a/raw: its attribute voxel_size_nm_zyx is .* or set voxel_z_nm"):
        open_volume(source)
    assert open_volume(source, VOXEL_NM).voxel_nm == VOXEL_NM
