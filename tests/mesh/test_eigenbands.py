import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp

from spinome.mesh import eigenbands as bands
from spinome.mesh.eigenbands import SpectrumError, eigenpairs
from spinome.mesh.laplacian import mesh_laplacian, normalised


def matrix_of(mesh):
    return normalised(*mesh_laplacian(mesh.vertices, mesh.faces))


@pytest.mark.parametrize("pairs", [10, 20, 50])
def test_finds_every_eigenpair_below_the_cutoff_once(tube, pairs):
    matrix = matrix_of(tube)[:1200][:, :1200]
    matrix = (matrix + matrix.T) / 2
    cutoff = 1e-4
    truth = scipy.linalg.eigvalsh(matrix.toarray())
    found = list(eigenpairs(matrix, cutoff, pairs))
    values = np.concatenate([band for band, _ in found])
    assert len(found) > 1
    assert np.allclose(values, truth[truth <= cutoff], rtol=1e-6, atol=1e-12)
    vectors = np.concatenate([band for _, band in found], axis=1)
    assert np.allclose(vectors.T @ vectors, np.eye(len(values)), atol=1e-5)


def test_degenerate_spectra_of_spheres_are_complete(sphere):
    matrix = matrix_of(sphere)
    truth = scipy.linalg.eigvalsh(matrix.toarray())
    cutoff = float(truth[299] + truth[300]) / 2
    values = np.concatenate([band for band, _ in eigenpairs(matrix, cutoff, 10)])
    assert len(values) == np.sum(truth <= cutoff)
    assert np.allclose(values, truth[truth <= cutoff], rtol=1e-5, atol=1e-12)


def test_an_eigenvalue_of_high_multiplicity_ends_in_a_reason_or_complete():
    """More equal eigenvalues than any band holds: no endless loop, and nothing missed in silence."""
    matrix = sp.diags_array(np.r_[0.0, np.ones(999)]).tocsc()
    try:
        values = np.concatenate([band for band, _ in eigenpairs(matrix, 2.0, 10)])
    except SpectrumError as error:
        assert "1000 vertices" in str(error)
    else:
        assert len(values) == 1000


def test_pairs_missed_by_the_solver_are_noticed(tube, monkeypatch):
    """A solver that leaves out a pair of each band must not go unnoticed."""
    honest = bands.eigsh

    def forgetful(*arguments, **options):
        values, vectors = honest(*arguments, **options)
        kept = np.argsort(np.abs(values - options["sigma"]))[1:]
        return values[kept], vectors[:, kept]

    monkeypatch.setattr(bands, "eigsh", forgetful)
    monkeypatch.setattr(bands, "LARGEST_BAND", 80)
    with pytest.raises(SpectrumError, match="stay missing"):
        list(eigenpairs(matrix_of(tube), 1e-5, 20))


def test_any_cutoff_is_met(tube):
    """Wherever the cutoff falls: in a band, between two, or in the gap where they join."""
    matrix = matrix_of(tube)[:800][:, :800].tocsc()
    truth = scipy.linalg.eigvalsh(matrix.toarray())
    gaps = [place for place in range(20, 95) if truth[place + 1] > truth[place] * (1 + 1e-4)]
    for place in gaps[::6]:
        cutoff = float(truth[place] + truth[place + 1]) / 2
        values = np.concatenate([band for band, _ in eigenpairs(matrix, cutoff, 20)])
        assert len(values) == place + 1
