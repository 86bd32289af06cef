"""Heat kernel signatures of a surface: how much heat is left at a point after a time (Sun et al. 2009).

Two solvers stand behind `log_hks`: selected inversion, exact on the whole mesh in time proportional to it, and the
published route by bands of eigenpairs (Pedigo et al. 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from scipy.sparse.csgraph import connected_components

from spinome.mesh.chunks import edge_graph, split
from spinome.mesh.eigenbands import eigenpairs, first_beyond, heat_kernel
from spinome.mesh.elimination_order import eliminate
from spinome.mesh.heat_poles import POLES, heat_poles, truncated_poles
from spinome.mesh.laplacian import mesh_laplacian, normalised
from spinome.mesh.selected_inversion import inverse_diagonals

# nm^2; heat spreads over about sqrt(4 t), here 0.4 to 9 um (Pedigo et al. 2026)
TIMES_NM2 = np.geomspace(5e4, 2e7, 32)
# vertices whose signatures are summed at once
BLOCK = 1 << 14


def log_hks(
    vertices: np.ndarray,
    faces: np.ndarray,
    times: np.ndarray = TIMES_NM2,
    solver: str = "selected_inversion",
    mollify: float = 1e-5,
    **options: float,
) -> np.ndarray:
    """Natural logarithm of the heat kernel signature of each vertex.

    Parameters
    ----------
    vertices : (V, 3) nm, each with a face
    faces : (F, 3)
    times : (T,) nm^2, ascending
    solver : a key of `SOLVERS`
    mollify : lengthening of short edges; see `mesh_laplacian`
    options : options of the solver; see its function

    Returns
    -------
    (V, T) float32, of values in nm^-2; finite for every vertex

    Raises
    ------
    SpectrumError, ValueError: if a part of the mesh cannot be solved; the message says why.
    """
    hks = SOLVERS[solver](vertices, faces, times, mollify, **options)
    signature = np.empty(hks.shape, np.float32)
    for rows in _blocks(len(hks)):
        signature[rows] = np.log(hks[rows])
    return signature


def hks_by_selected_inversion(
    vertices: np.ndarray,
    faces: np.ndarray,
    times: np.ndarray,
    mollify: float,
    *,
    poles: int = POLES,
    cutoff: float | None = None,
) -> np.ndarray:
    """Signatures of all components at once, from resolvents.

    Parameters
    ----------
    poles : real ones (`heat_poles`)
    cutoff : largest eigenvalue that counts, nm^-2, for models trained on published features (1e-5); None: the full
        spectrum. What it costs and how exact it is: `truncated_poles`. The constant eigenvector of each component is
        kept, as by `hks_by_bands`, and the signature is never less than what that gives.
    """
    stiffness, mass = mesh_laplacian(vertices, faces, mollify)
    pattern = eliminate(stiffness)
    hks = np.zeros((len(mass), len(times)))
    for shifts, weights in [heat_poles(times, poles)] if cutoff is None else truncated_poles(times, cutoff, poles):
        for some, diagonals in inverse_diagonals(stiffness, mass, shifts, pattern):
            for rows in _blocks(len(hks)):
                hks[rows] += (diagonals[rows] @ weights[some]).real
    if cutoff is not None:
        _, component = connected_components(stiffness, directed=False)
        hks = np.maximum(hks, 1 / np.bincount(component, mass)[component, None])
    return hks


def _blocks(count: int) -> Iterator[slice]:
    """Rows in blocks, so that what is computed of them on the way needs no more memory than a block."""
    return (slice(first, first + BLOCK) for first in range(0, count, BLOCK))


def hks_by_bands(
    vertices: np.ndarray,
    faces: np.ndarray,
    times: np.ndarray,
    mollify: float,
    *,
    max_vertices: int = 6000,
    overlap_nm: float = 10_000.0,
    max_overlapping: int = 18_000,
    cutoff: float = 1e-5,
    pairs: int = 50,
    as_published: bool = False,
) -> np.ndarray:
    """Signatures from the eigenpairs of overlapping chunks (Pedigo et al. 2026), chunk by chunk.

    The constant eigenvector is kept, other than published: without it the signature depends on the chunk's
    size, and a component too small to have another eigenvalue below the cutoff has none at all.

    Parameters
    ----------
    max_vertices, overlap_nm, max_overlapping : limits of a chunk; see `split`. Published: 20,000, 20,000 and 60,000,
        which takes three times as long and changes the logarithm by 0.004 at the 99th percentile
    cutoff : largest eigenvalue, nm^-2
    pairs : eigenpairs per band
    as_published : leave the constant eigenvector out, and count the first eigenvalue beyond the cutoff too, as the
        published program does; where the constant alone is below the cutoff, which leaves it without a feature, it
        is kept
    """
    hks = np.zeros((len(vertices), len(times)))
    local = np.full(len(vertices), -1)
    for chunk in split(edge_graph(vertices, faces), max_vertices, overlap_nm, max_overlapping):
        local[chunk.vertices] = np.arange(len(chunk.vertices))
        inside = local[faces]
        inside = inside[(inside >= 0).all(axis=1)]
        local[chunk.vertices] = -1
        owned = chunk.vertices[chunk.owns]
        part = vertices[chunk.vertices]
        hks[owned] = _chunk_hks(part, inside, chunk.owns, times, cutoff, pairs, mollify, as_published)
    return hks


def _chunk_hks(vertices, faces, owns, times, cutoff, pairs, mollify, as_published) -> np.ndarray:
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    number = np.cumsum(used) - 1
    stiffness, mass = mesh_laplacian(vertices[used], number[faces], mollify)
    hks = np.zeros((len(vertices), len(times)))
    rows = owns[used]
    scale = 1 / np.sqrt(mass[rows])[:, None]
    total, below = np.zeros((rows.sum(), len(times))), 0
    matrix = normalised(stiffness, mass)
    for values, vectors in eigenpairs(matrix, first_beyond(matrix, cutoff, pairs) if as_published else cutoff, pairs):
        constant = 1 if as_published and below == 0 else 0
        total += heat_kernel(values[constant:], vectors[rows, constant:] * scale, times)
        below += int(np.sum(values <= cutoff))
    if below == 1:
        total[:] = 1 / mass.sum()
    hks[used & owns] = total
    return hks[owns]


SOLVERS: dict[str, Callable[..., np.ndarray]] = {
    "selected_inversion": hks_by_selected_inversion,
    "bands": hks_by_bands,
}
