"""The Laplacian of a surface, robust on the meshes that segmentations give."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from spinome.mesh.tufted import tufted_laplacian


def mesh_laplacian(vertices: np.ndarray, faces: np.ndarray, mollify: float = 1e-5) -> tuple[sp.csr_array, np.ndarray]:
    """Intrinsic Delaunay Laplacian on the tufted cover, for any triangle mesh (Sharp and Crane 2020).

    Parameters
    ----------
    vertices : (V, 3) nm, each with a face
    faces : (F, 3)
    mollify : lengthening of short edges, relative to the mean edge

    Returns
    -------
    stiffness (V, V), positive semidefinite and without a unit, and lumped mass (V,) in nm^2:
    stiffness @ phi = lambda * mass * phi has lambda in nm^-2

    Raises
    ------
    ValueError: if an entry is not finite or a vertex has no area.
    """
    stiffness, area = tufted_laplacian(vertices, faces, mollify)
    if not (np.isfinite(stiffness.data).all() and np.isfinite(area).all() and (area > 0).all()):
        raise ValueError(f"the Laplacian of {len(vertices)} vertices is not finite; raise neurons.hks.mollify")
    return stiffness, area


def normalised(stiffness: sp.csr_array, mass: np.ndarray) -> sp.csc_array:
    """Symmetric matrix M^-1/2 L M^-1/2 with the same eigenvalues; phi = M^-1/2 y."""
    scale = sp.diags_array(1 / np.sqrt(mass))
    return (scale @ stiffness @ scale).tocsc()


def factorise(matrix: sp.csc_array, shift: float) -> SuperLU:
    """Sparse factors of the symmetric `matrix - shift`, rows and columns permuted alike where no pivot vanishes.

    Raises
    ------
    RuntimeError: if the shift is an eigenvalue.
    """
    shifted = (matrix - shift * sp.eye_array(matrix.shape[0])).tocsc()
    return splu(shifted, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
