"""Every reader of volumes and of stacks gives what numpy gives of the same array, and refuses damage alike."""

import struct
from pathlib import Path

import h5py
import imageio.v3 as imageio
import numcodecs
import numpy as np
import pytest
import tensorstore
import tifffile
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from spinome.io.stacks import open_stack
from spinome.io.volumes import chunks_to_write, create_volume, fill_with_zeros, open_labels, open_volume, write_volume

VOXEL_NM = (40.0, 8.0, 6.0)
SHAPE = (5, 7, 9)
CHUNKS = (2, 4, 4)

KEYS = {
    "all": np.s_[:],
    "inside": np.s_[1:4, 2:6, 3:8],
    "edges": np.s_[0:1, 6:7, 8:9],
    "beyond the far edges": np.s_[3:50, 5:99, 7:1000],
    "beyond the near edges": np.s_[-50:2, -99:3, -1000:4],
    "beyond both": np.s_[-50:50, -99:99, -1000:1000],
    "wholly beyond": np.s_[5:9, 20:30, 9:],
    "one voxel": np.s_[4:5, 6:7, 8:9],
    "one voxel by integers": np.s_[4, 6, 8],
    "from the end": np.s_[-1, -3:, :-2],
    "empty": np.s_[2:2, :, :],
    "empty since it ends before it begins": np.s_[3:1, :, :],
    "steps": np.s_[::2, 1::3, :8:4],
    "steps beyond the edges": np.s_[1::10, ::99, 2:100:3],
    "backwards": np.s_[::-1, 5:1:-2, -1:-100:-3],
    "one axis": np.s_[2],
    "ellipsis": np.s_[..., 1:3],
    "numpy integers": (np.int64(1), slice(np.int32(0), np.int64(40)), np.uint8(3)),
}


def cut(file: Path, share: float = 0.5) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])


def flip(file: Path, place: int | None = None) -> None:
    """Change one byte of a file, two thirds into it where nothing else is said."""
    content = bytearray(file.read_bytes())
    content[2 * len(content) // 3 if place is None else place] ^= 0x55
    file.write_bytes(content)


def flip_strip(file: Path, page: int = 0) -> None:
    """Change one byte of the voxels of a TIFF's page."""
    with tifffile.TiffFile(file) as tiff:
        start, length = tiff.pages[page].dataoffsets[0], tiff.pages[page].databytecounts[0]
    flip(file, start + length // 2)


def flip_chunk(file: Path, name: str) -> None:
    """Change one byte of the second chunk of an HDF5 data set."""
    with h5py.File(file) as opened:
        chunk = opened[name].id.get_chunk_info(1)
    flip(file, chunk.byte_offset + chunk.size // 2)


class Reader:
    """What holds of a reader. A format says how it writes an array, and what it can tell of damage."""

    # the type of the voxels that are written
    dtype = np.dtype(np.uint16)

    def write(self, folder: Path, data: np.ndarray) -> str:
        """Write a volume or stack (Z, Y, X), and give its source."""
        raise NotImplementedError

    def open(self, source: str):
        raise NotImplementedError

    def damage(self, folder: Path) -> None:
        """Damage what was written, so that the format itself can tell."""
        raise NotImplementedError

    def lose(self, folder: Path) -> None:
        """Take out one chunk, page or file of what was written."""
        raise NotImplementedError

    # what a lost chunk is: an error, or legal, and then the value of its voxels
    lost: int | None = None

    def truncate(self, folder: Path) -> None:
        """Cut a file in half."""
        raise NotImplementedError

    # shapes that the program which writes the format makes others of
    not_written: tuple = ()

    @pytest.fixture(scope="class")
    def data(self):
        return np.random.default_rng(0).integers(1, 200, SHAPE).astype(self.dtype)

    @pytest.fixture(scope="class")
    def opened(self, data, tmp_path_factory):
        return self.open(self.write(tmp_path_factory.mktemp("reader"), data))

    def test_shape_and_type(self, opened, data):
        assert opened.shape == data.shape and opened.dtype == data.dtype

    @pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
    def test_slices_are_those_of_numpy(self, opened, data, key):
        found = opened[key]
        np.testing.assert_array_equal(found, data[key])
        assert found.dtype == data.dtype

    @pytest.mark.parametrize("key", [5, -6, (0, 7), (0, 0, -10), (0, 0, 0, 0)])
    def test_integers_beyond_the_edges_are_an_error(self, opened, key):
        with pytest.raises(IndexError):
            opened[key]

    @pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 6), (5, 1, 6), (5, 6, 1)])
    def test_axes_of_one_voxel(self, tmp_path, shape):
        if shape in self.not_written:
            pytest.skip("this format's writer does not keep such a shape")
        data = np.arange(1, np.prod(shape) + 1).reshape(shape).astype(self.dtype)
        opened = self.open(self.write(tmp_path, data))
        assert opened.shape == shape
        np.testing.assert_array_equal(opened[-9:9, -9:9, -9:9], data)

    def refused(self, source: str) -> None:
        """Opening or reading it is one error that names the file."""
        with pytest.raises((ValueError, FileNotFoundError)) as caught:
            self.open(source)[:]
        message = str(caught.value)
        assert Path(source.partition("::")[0]).name in message
        assert any(word in message for word in ("copy", "export", "mend", "write", "number")), message

    def test_a_damaged_chunk_is_told(self, tmp_path, data):
        source = self.write(tmp_path, data)
        self.damage(tmp_path)
        self.refused(source)

    def test_a_missing_chunk_is_told_where_it_is_not_legal(self, tmp_path, data):
        source = self.write(tmp_path, data)
        self.lose(tmp_path)
        if self.lost is None:
            self.refused(source)
        else:
            found = self.open(source)[:]
            assert ((found == data) | (found == self.lost)).all() and (found == self.lost).any()

    def test_a_truncated_file_is_told(self, tmp_path, data):
        source = self.write(tmp_path, data)
        self.truncate(tmp_path)
        self.refused(source)


class VolumeReader(Reader):
    """What holds of a reader of volumes besides."""

    def open(self, source):
        return open_volume(source)

    # whether the format has integers of 64 bits, and such with a sign
    large, signed = True, True

    @pytest.mark.parametrize("dtype", [np.uint64, np.int64])
    def test_ids_of_64_bits(self, tmp_path, dtype):
        if not self.large or (dtype == np.int64 and not self.signed):
            pytest.skip("the format has no such type")
        top = int(np.iinfo(dtype).max)
        data = np.array([0, 1, 2**53 + 1, 2**62 + 3, 2**63 - 1, top - 1, top, top], dtype).reshape(2, 2, 2)
        source = self.write(tmp_path, data)
        found = open_volume(source)[:]
        assert found.dtype == dtype and found.tolist() == data.tolist()
        labels = open_labels(source)
        assert labels[0].tolist() == data[0].tolist()
        if dtype == np.uint64:
            with pytest.raises(ValueError, match=r"has the label 18446744073709551615; .*below 2\*\*63"):
                labels[1]
        else:
            assert labels[1].tolist() == data[1].tolist()

    def test_negative_labels_are_refused(self, tmp_path):
        if not self.signed:
            pytest.skip("the format has no such type")
        labels = open_labels(self.write(tmp_path, np.array([[[1, 2]], [[3, -1]]], np.int64)))
        assert labels[0].tolist() == [[1, 2]]
        with pytest.raises(ValueError, match="has negative labels"):
            labels[:]


class ZarrReader(VolumeReader):
    """Zarr of any version: a chunk is a file."""

    def chunk(self, folder: Path) -> Path:
        """The file of a chunk; such small volumes have a single level."""
        files = [file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".z", "zarr.json"))]
        return sorted(files)[1]

    def damage(self, folder):
        cut(self.chunk(folder))

    def lose(self, folder):
        self.chunk(folder).unlink()

    def truncate(self, folder):
        self.chunk(folder).write_bytes(b"")

    @pytest.mark.parametrize("share", [0.0, 0.5])
    def test_truncated_metadata_are_told(self, tmp_path, data, share):
        source = self.write(tmp_path, data)
        for file in Path(*source.split("::")).rglob("*"):
            if file.name in ("zarr.json", ".zarray", ".zattrs", ".zgroup"):
                whole = file.read_bytes()
                cut(file, share)
                self.refused(source)
                file.write_bytes(whole)


class OwnChunks:
    """What Spinome writes: any change of a chunk is told, a chunk that lacks too."""

    lost = None

    def damage(self, folder):
        flip(self.chunk(folder))


class TestOwnVolume(OwnChunks, ZarrReader):
    def write(self, folder, data):
        write_volume(folder / "v.zarr", data, VOXEL_NM, CHUNKS, name="image")
        return f"{folder / 'v.zarr'}::image"


class TestOwnVolumeWrittenInParts(OwnChunks, ZarrReader):
    def write(self, folder, data):
        create_volume(folder / "v.zarr", data.shape, data.dtype, VOXEL_NM, CHUNKS)
        fill_with_zeros(folder / "v.zarr")
        for z in range(0, len(data), CHUNKS[0]):
            chunks_to_write(folder / "v.zarr")[z : z + CHUNKS[0]] = data[z : z + CHUNKS[0]]
        return str(folder / "v.zarr")


class TestOmeZarr5(ZarrReader):
    """OME-Zarr 0.5 of others, of which chunks may lack, with a channel and three values of fill."""

    lost = 7

    def write(self, folder, data):
        group = zarr.open_group(str(folder / "v.zarr"), mode="w", zarr_format=3)
        group.create_array("s0", data=data[None], chunks=(1, *CHUNKS), fill_value=7, compressors=[ZstdCodec()])
        axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "zyx")]
        scale = [{"type": "scale", "scale": [1.0, *(size / 1000 for size in VOXEL_NM)]}]
        datasets = [{"path": "s0", "coordinateTransformations": scale}]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": datasets}]}
        return str(folder / "v.zarr")


class TestOmeZarr4(ZarrReader):
    """OME-Zarr 0.4 as most programs write it: blosc, which zarr-python reads when half of it is there."""

    lost = 0

    def write(self, folder, data):
        group = zarr.open_group(str(folder / "v.zarr"), mode="w", zarr_format=2)
        group.create_array("0", data=data, chunks=CHUNKS, compressors=numcodecs.Blosc(), fill_value=0)
        axes = [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"]
        scale = [{"type": "scale", "scale": list(VOXEL_NM)}]
        datasets = [{"path": "0", "coordinateTransformations": scale}]
        group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
        return str(folder / "v.zarr")


# by version of Zarr and name
PACKED = {
    (2, "blosc"): {"compressors": numcodecs.Blosc()},
    (2, "gzip"): {"compressors": numcodecs.GZip()},
    (2, "lz4"): {"compressors": numcodecs.LZ4()},
    (2, "nothing"): {"compressors": None},
    (3, "blosc"): {"compressors": [BloscCodec()]},
    (3, "gzip"): {"compressors": [GzipCodec()]},
    (3, "shards"): {"shards": (2, 8, 8), "chunks": CHUNKS},
}


class PlainZarr(ZarrReader):
    """An array alone."""

    lost = 0
    version = 2
    packed = ""

    def write(self, folder, data):
        array = zarr.create_array(
            str(folder / "v.zarr"),
            shape=data.shape,
            dtype=data.dtype,
            zarr_format=self.version,
            **{"chunks": CHUNKS} | PACKED[self.version, self.packed],
        )
        array[:] = data
        return str(folder / "v.zarr")


class TestZarrBlosc(PlainZarr):
    packed = "blosc"


class TestZarrGzip(PlainZarr):
    packed = "gzip"


class TestZarrLZ4(PlainZarr):
    """Packed as TensorStore cannot unpack it."""

    packed = "lz4"


class TestZarrUnpacked(PlainZarr):
    packed = "nothing"


class TestZarr3Blosc(PlainZarr):
    version = 3
    packed = "blosc"


class TestZarr3Gzip(PlainZarr):
    version = 3
    packed = "gzip"


class TestZarr3Shards(PlainZarr):
    version = 3
    packed = "shards"


class TestHDF5(VolumeReader):
    lost = 0

    def write(self, folder, data):
        with h5py.File(folder / "v.h5", "w") as file:
            chunks = tuple(min(chunk, length) for chunk, length in zip(CHUNKS, data.shape))
            file.create_dataset("a/raw", data=data, chunks=chunks, compression="gzip", fletcher32=True)
        return f"{folder / 'v.h5'}::a/raw"

    def damage(self, folder):
        flip_chunk(folder / "v.h5", "a/raw")

    def lose(self, folder):
        """HDF5 keeps no chunk that was never written."""
        with h5py.File(folder / "v.h5", "r+") as file:
            values = file["a/raw"][:2]
            del file["a/raw"]
            file.create_dataset("a/raw", shape=SHAPE, dtype=self.dtype, chunks=CHUNKS)[:2] = values

    def truncate(self, folder):
        cut(folder / "v.h5")


class TestTIFF(VolumeReader):
    """A strip that lacks is how a TIFF says that all of it is 0."""

    lost = 0

    def write(self, folder, data):
        # OME knows no integers of 64 bits
        kind = {"ome": data.dtype.itemsize < 8, "photometric": "minisblack", "metadata": {"axes": "ZYX"}}
        tifffile.imwrite(folder / "v.ome.tif", data, compression="zlib", rowsperstrip=3, **kind)
        return str(folder / "v.ome.tif")

    def damage(self, folder):
        flip_strip(folder / "v.ome.tif", page=2)

    def lose(self, folder):
        content = bytearray((folder / "v.ome.tif").read_bytes())
        with tifffile.TiffFile(folder / "v.ome.tif") as file:
            tags = [file.pages[2].tags[name] for name in ("StripOffsets", "StripByteCounts")]
            for tag in tags:
                size = {3: 2, 4: 4, 16: 8}[tag.dtype]
                content[tag.valueoffset : tag.valueoffset + size] = bytes(size)
        (folder / "v.ome.tif").write_bytes(content)

    def truncate(self, folder):
        cut(folder / "v.ome.tif")


class TestSections(VolumeReader):
    """A folder with one TIFF a section."""

    def write(self, folder, data):
        (folder / "v").mkdir()
        for number, section in enumerate(data, start=8):
            tifffile.imwrite(folder / "v" / f"s{number}.tif", section, compression="zlib", photometric="minisblack")
        return str(folder / "v")

    def damage(self, folder):
        flip_strip(folder / "v" / "s9.tif")

    def lose(self, folder):
        (folder / "v" / "s9.tif").unlink()

    def truncate(self, folder):
        cut(folder / "v" / "s9.tif")


class TestPngSections(VolumeReader):
    """A folder with one PNG a section."""

    large = signed = False

    def write(self, folder, data):
        (folder / "v").mkdir()
        for number, section in enumerate(data, start=8):
            imageio.imwrite(folder / "v" / f"iso.{number}.png", section)
        return str(folder / "v")

    def damage(self, folder):
        content = bytearray((folder / "v" / "iso.9.png").read_bytes())
        content[len(content) // 2] ^= 255
        (folder / "v" / "iso.9.png").write_bytes(content)

    def lose(self, folder):
        (folder / "v" / "iso.9.png").unlink()

    def truncate(self, folder):
        cut(folder / "v" / "iso.9.png")

    def test_pictures_in_colour_and_a_mixture_are_refused(self, tmp_path, data):
        source = Path(self.write(tmp_path, data))
        tifffile.imwrite(source / "iso.13.tif", data[0])
        with pytest.raises(ValueError, match="v: holds both TIFF and PNG"):
            open_volume(str(source))
        (source / "iso.13.tif").unlink()
        imageio.imwrite(source / "iso.13.png", np.zeros((*data.shape[1:], 3), np.uint8))
        with pytest.raises(ValueError, match=r"iso\.13\.png: is in colour or has alpha; export it in grey values"):
            open_volume(str(source))

    def test_a_picture_beside_a_zarr_volume_is_no_section_of_it(self, tmp_path, data):
        write_volume(tmp_path / "v.zarr", data, VOXEL_NM, CHUNKS, kind="image")
        imageio.imwrite(tmp_path / "v.zarr" / "thumbnail.png", data[0].astype(np.uint8))
        np.testing.assert_array_equal(open_volume(str(tmp_path / "v.zarr"))[:], data)


class TestPrecomputed(VolumeReader):
    lost = 0
    signed = False

    def write(self, folder, data):
        kind = "segmentation" if data.dtype == np.uint64 else "image"
        store = tensorstore.open(
            {
                "driver": "neuroglancer_precomputed",
                "kvstore": {"driver": "file", "path": str(folder / "v")},
                "multiscale_metadata": {"data_type": data.dtype.name, "num_channels": 1, "type": kind},
                "scale_metadata": {
                    "size": data.shape[::-1],
                    "resolution": VOXEL_NM[::-1],
                    "encoding": "compressed_segmentation" if kind == "segmentation" else "raw",
                    "chunk_size": CHUNKS[::-1],
                    "voxel_offset": [11, 22, 33],
                },
            },
            create=True,
        ).result()
        store[..., 0].write(data.transpose()).result()
        return str(folder / "v")

    def chunk(self, folder):
        return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "info")[1]

    def damage(self, folder):
        cut(self.chunk(folder))

    def lose(self, folder):
        self.chunk(folder).unlink()

    def truncate(self, folder):
        cut(folder / "v" / "info")


class StackReader(Reader):
    def open(self, source):
        return open_stack(source)


class TestOmeZarrStack(OwnChunks, ZarrReader):
    dtype = np.dtype(np.uint16)

    def write(self, folder, data):
        write_volume(folder / "v.zarr", data, VOXEL_NM, CHUNKS, kind="image")
        return str(folder / "v.zarr")

    open = StackReader.open


class TestOmeZarrStackOfOthers(ZarrReader):
    lost = 0
    write = TestOmeZarr4.write
    open = StackReader.open


class StackFile(StackReader):
    """A stack in one file whose pages are not packed: what it can tell is that its end lacks."""

    name = "stack.tif"

    def damage(self, folder):
        cut(folder / self.name, 0.9)

    def lose(self, folder):
        cut(folder / self.name, 0.8)

    def truncate(self, folder):
        cut(folder / self.name)


class TestOmeTIFF(StackFile):
    name = "stack.ome.tif"

    def write(self, folder, data):
        kind = {"ome": True, "photometric": "minisblack", "metadata": {"axes": "ZYX"}}
        tifffile.imwrite(folder / self.name, data, compression="zlib", **kind)
        return str(folder / self.name)

    def damage(self, folder):
        flip_strip(folder / self.name, page=2)


class TestImageJ(StackFile):
    not_written = ((5, 6, 1),)

    def write(self, folder, data):
        tifffile.imwrite(folder / self.name, data, imagej=True, photometric="minisblack", metadata={"axes": "ZYX"})
        return str(folder / self.name)


class TestScanImage(StackFile):
    def write(self, folder, data):
        facts = {"SI.hStackManager.framesPerSlice": 1, "SI.hStackManager.numSlices": len(data)}
        write_scanimage(folder / self.name, data, facts | {"SI.hChannels.channelSave": 1})
        return str(folder / self.name)


class TestPrairie(StackReader):
    def write(self, folder, data):
        frames = []
        for z, image in enumerate(data, start=1):
            name = f"z_Cycle00001_Ch2_{z:06d}.ome.tif"
            tifffile.imwrite(folder / name, image, compression="zlib", photometric="minisblack")
            frames.append(f'<Frame index="{z}"><File channel="2" filename="{name}" /></Frame>')
        sequence = f'<Sequence type="ZSeries">{"".join(frames)}</Sequence>'
        (folder / "z.xml").write_text(f'<?xml version="1.0"?><PVScan version="5.7">{sequence}</PVScan>')
        return str(folder)

    def damage(self, folder):
        flip_strip(folder / "z_Cycle00001_Ch2_000003.ome.tif")

    def lose(self, folder):
        (folder / "z_Cycle00001_Ch2_000003.ome.tif").unlink()

    def truncate(self, folder):
        cut(folder / "z.xml")

    def refused(self, source):
        """The message names the XML or the folder."""
        super().refused(str(Path(source) / "z.xml") if (Path(source) / "z.xml").exists() else source)


class TestFolderOfSlices(StackReader):
    def write(self, folder, data):
        (folder / "slices").mkdir()
        for z, image in enumerate(data):
            imageio.imwrite(folder / "slices" / f"{z}.png", image)
        return str(folder / "slices")

    def damage(self, folder):
        flip(folder / "slices" / "3.png")

    def lose(self, folder):
        (folder / "slices" / "3.png").unlink()

    def truncate(self, folder):
        cut(folder / "slices" / "3.png")


class TestNWB(StackReader):
    lost = 0

    def write(self, folder, data):
        with h5py.File(folder / "s.nwb", "w") as file:
            group = file.create_group("acquisition/v")
            group.attrs["neurodata_type"] = "TwoPhotonSeries"
            chunks = tuple(min(chunk, length) for chunk, length in zip(CHUNKS, data.transpose(0, 2, 1).shape))
            group.create_dataset("data", data=data.transpose(0, 2, 1), chunks=chunks, compression="gzip")
        return str(folder / "s.nwb")

    def damage(self, folder):
        flip_chunk(folder / "s.nwb", "acquisition/v/data")

    def lose(self, folder):
        with h5py.File(folder / "s.nwb", "r+") as file:
            group = file["acquisition/v"]
            values = group["data"][:2]
            del group["data"]
            shape = (SHAPE[0], SHAPE[2], SHAPE[1])
            group.create_dataset("data", shape=shape, dtype=self.dtype, chunks=CHUNKS)[:2] = values

    def truncate(self, folder):
        cut(folder / "s.nwb")


def write_scanimage(path, frames, facts):
    """A BigTIFF as ScanImage writes it, one page a frame."""
    text = "\n".join(f"{key} = {value}" for key, value in facts.items()).encode() + b"\0"
    head = struct.pack("<IIII", 0x07030301, 4, len(text), 0) + text
    software = b"SI.x = 1\0"
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
