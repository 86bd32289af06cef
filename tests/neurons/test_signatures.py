"""Signatures in files: nothing is lost, and less is written."""

import numpy as np
import pytest

from spinome.mesh.hks import log_hks
from spinome.neurons.signatures import read_signatures, write_signatures


def test_signatures_come_back_to_the_last_bit(tube, tmp_path):
    signatures = log_hks(tube.vertices, tube.faces)
    write_signatures(tmp_path / "a.parquet", signatures)
    back = read_signatures(tmp_path / "a.parquet")
    assert back.dtype == signatures.dtype == np.float32 and np.array_equal(back, signatures)
    assert (tmp_path / "a.parquet").stat().st_size < 0.8 * signatures.nbytes


@pytest.mark.parametrize("shape", [(1, 32), (5, 1)])
def test_few_vertices_and_times(shape, tmp_path):
    signatures = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    write_signatures(tmp_path / "a.parquet", signatures)
    assert np.array_equal(read_signatures(tmp_path / "a.parquet"), signatures)
