"""What is written tells of any damage; what others wrote is read where damage can be told at all."""

import json

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spinome.io.zarr_arrays import array_to_write, create_array, open_array, write_zeros

DATA = np.random.default_rng(0).integers(0, 60_000, (5, 6, 7)).astype(np.uint16)


def create(folder, data=DATA):
    group = zarr.open_group(str(folder), mode="w", zarr_format=3)
    create_array(group, "0", data.shape, data.dtype, (2, 4, 4), "zyx")
    return folder / "0"


def read(folder):
    return np.asarray(open_array(folder, zarr.open_array(str(folder), mode="r"))[:])


def test_the_layout_is_the_one_that_clients_read(tmp_path):
    folder = create(tmp_path)
    array_to_write(folder)[:] = DATA
    facts = json.loads((folder / "zarr.json").read_text())
    assert [codec["name"] for codec in facts["codecs"]] == ["bytes", "zstd", "crc32c"]
    assert facts["chunk_key_encoding"] == {"name": "default", "configuration": {"separator": "/"}}
    assert facts["dimension_names"] == ["z", "y", "x"] and facts["fill_value"] == 0
    np.testing.assert_array_equal(read(folder), DATA)


@given(st.data())
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_a_chunk_is_told(tmp_path, data):
    folder = create(tmp_path)
    array_to_write(folder)[:] = DATA
    chunk = folder / "c" / "1" / "0" / "1"
    whole = chunk.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "longer"]))
    changed = {"cut": whole[:place], "flip": whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]}
    chunk.write_bytes(changed.get(how, whole + b"x"))
    with pytest.raises(ValueError, match="c/1/0/1"):
        read(folder)


def test_chunks_of_zeros_are_written_too(tmp_path):
    folder = create(tmp_path)
    array_to_write(folder)[:] = 0
    written = {file.relative_to(folder): file.read_bytes() for file in (folder / "c").rglob("*") if file.is_file()}
    assert len(written) == 3 * 2 * 2
    other = create(tmp_path / "other")
    write_zeros(other)
    assert written == {
        file.relative_to(other): file.read_bytes() for file in (other / "c").rglob("*") if file.is_file()
    }
    array_to_write(other)[2:4, :4, 4:] = DATA[2:4, :4, 4:]
    expected = np.zeros_like(DATA)
    expected[2:4, :4, 4:] = DATA[2:4, :4, 4:]
    np.testing.assert_array_equal(read(other), expected)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.float32, np.float64])
def test_types(tmp_path, dtype):
    data = (DATA % 2).astype(dtype)
    folder = create(tmp_path, data)
    array_to_write(folder)[:] = data
    found = read(folder)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, data)


def test_packing_of_which_no_reader_tells_that_a_chunk_is_cut(tmp_path):
    """A filter keeps TensorStore from reading, and zarr-python does not see where blosc's data end."""
    filters = [numcodecs.Delta(DATA.dtype)]
    made = {"shape": DATA.shape, "dtype": DATA.dtype, "zarr_format": 2, "filters": filters}
    zarr.create_array(str(tmp_path / "zstd"), compressors=numcodecs.Zstd(), **made)[:] = DATA
    np.testing.assert_array_equal(read(tmp_path / "zstd"), DATA)
    zarr.create_array(str(tmp_path / "blosc"), compressors=numcodecs.Blosc(), **made)[:] = DATA
    with pytest.raises(ValueError, match=r"blosc: cannot be read safely .*write it anew"):
        read(tmp_path / "blosc")
