"""Points on a surface: the nearest place, how far it is, and which vertex is there."""

from __future__ import annotations

import numba
import numpy as np

# faces of a leaf of the tree of boxes
LEAF = 8
# bits of each coordinate in the order along the curve
BITS = 21


def nearest_on_surface(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertex nearest to each point's foot on the surface, and the distance to that foot.

    The foot is the nearest of all points of all faces, found in a tree of boxes around faces sorted along Morton's
    curve (Lauterbach et al. 2009); a vertex alone can be much farther than the face that the point lies on.

    Parameters
    ----------
    vertices : (V, 3), faces : (F, 3), points : (N, 3), finite

    Returns
    -------
    vertex (N,) int, distance (N,) in the unit of the vertices
    """
    if not len(points):
        return np.zeros(0, np.int64), np.zeros(0)
    corners = [np.ascontiguousarray(vertices[column], np.float64) for column in faces.T]
    low, high = np.minimum(np.minimum(*corners[:2]), corners[2]), np.maximum(np.maximum(*corners[:2]), corners[2])
    order = np.argsort(_morton((low + high) / 2), kind="stable")
    lowest, highest = _boxes(low[order], high[order])
    points = np.ascontiguousarray(points, np.float64)
    # points near one another in turn, so that what is read for one is still at hand for the next
    turn = np.argsort(_morton(points), kind="stable")
    return _search(lowest, highest, faces[order], np.ascontiguousarray(vertices, np.float64), points, turn)


def _morton(points: np.ndarray) -> np.ndarray:
    """Place (N,) uint64 of points (N, 3) along Morton's curve through their box."""
    first = points.min(axis=0)
    extent = max(float((points.max(axis=0) - first).max()), 1e-300)
    cell = ((points - first) * ((2**BITS - 1) / extent)).astype(np.uint64)
    # spread the bits of each coordinate, two zeros between any two
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        cell = (cell | (cell << np.uint64(shift))) & np.uint64(mask)
    return cell[:, 0] | (cell[:, 1] << np.uint64(1)) | (cell[:, 2] << np.uint64(2))


def _boxes(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A complete binary tree of boxes (nodes, 3) over sorted faces: node n has the children 2n + 1 and 2n + 2."""
    starts = np.arange(0, len(low), LEAF)
    leaves = 1 << int(np.ceil(np.log2(len(starts))))
    # a box that is never entered stands for no faces
    lowest, highest = np.full((2 * leaves - 1, 3), np.inf), np.full((2 * leaves - 1, 3), -np.inf)
    lowest[leaves - 1 : leaves - 1 + len(starts)] = np.minimum.reduceat(low, starts)
    highest[leaves - 1 : leaves - 1 + len(starts)] = np.maximum.reduceat(high, starts)
    size = leaves // 2
    while size:
        children = slice(2 * size - 1, 4 * size - 1)
        own = slice(size - 1, 2 * size - 1)
        lowest[own] = lowest[children].reshape(size, 2, 3).min(axis=1)
        highest[own] = highest[children].reshape(size, 2, 3).max(axis=1)
        size //= 2
    return lowest, highest


@numba.njit(cache=True)
def _search(lowest, highest, faces, vertices, points, order):
    """The corner nearest to the foot of each point, and the distance to the foot."""
    first_leaf = len(lowest) // 2
    vertex, distance = np.zeros(len(points), np.int64), np.empty(len(points))
    stack, gaps = np.empty(128, np.int64), np.empty(128)
    for number in order:
        x, y, z = points[number, 0], points[number, 1], points[number, 2]
        best, depth = np.inf, 1
        stack[0], gaps[0] = 0, 0.0
        while depth:
            depth -= 1
            node = stack[depth]
            if gaps[depth] >= best:
                continue
            if node >= first_leaf:
                start = (node - first_leaf) * LEAF
                for face in range(start, min(start + LEAF, len(faces))):
                    square, corner = _foot(vertices, faces[face, 0], faces[face, 1], faces[face, 2], x, y, z)
                    if square < best:
                        best, vertex[number] = square, corner
                continue
            left, right = 2 * node + 1, 2 * node + 2
            near, far = _gap(lowest, highest, left, x, y, z), _gap(lowest, highest, right, x, y, z)
            if near > far:
                left, right, near, far = right, left, far, near
            # the nearer is looked at first
            if far < best:
                stack[depth], gaps[depth] = right, far
                depth += 1
            if near < best:
                stack[depth], gaps[depth] = left, near
                depth += 1
        distance[number] = np.sqrt(best)
    return vertex, distance


@numba.njit(cache=True)
def _gap(lowest, highest, node, x, y, z):
    """Squared distance of a point to a box."""
    dx = max(lowest[node, 0] - x, x - highest[node, 0], 0.0)
    dy = max(lowest[node, 1] - y, y - highest[node, 1], 0.0)
    dz = max(lowest[node, 2] - z, z - highest[node, 2], 0.0)
    return dx * dx + dy * dy + dz * dz


@numba.njit(cache=True)
def _foot(vertices, a, b, c, x, y, z):
    """Squared distance of a point to a triangle, and the corner nearest to its foot (Ericson 2005, section 5.1.5)."""
    ax, ay, az = vertices[a, 0] - x, vertices[a, 1] - y, vertices[a, 2] - z
    abx, aby, abz = vertices[b, 0] - x - ax, vertices[b, 1] - y - ay, vertices[b, 2] - z - az
    acx, acy, acz = vertices[c, 0] - x - ax, vertices[c, 1] - y - ay, vertices[c, 2] - z - az
    ab_ab, ab_ac, ac_ac = abx * abx + aby * aby + abz * abz, abx * acx + aby * acy + abz * acz, acx**2 + acy**2 + acz**2
    ab_ap, ac_ap = -(abx * ax + aby * ay + abz * az), -(acx * ax + acy * ay + acz * az)
    ab_bp, ac_bp = ab_ap - ab_ab, ac_ap - ab_ac
    ab_cp, ac_cp = ab_ap - ab_ac, ac_ap - ac_ac
    at_a, at_b, at_c = ab_bp * ac_cp - ab_cp * ac_bp, ab_cp * ac_ap - ab_ap * ac_cp, ab_ap * ac_bp - ab_bp * ac_ap
    v, w = 0.0, 0.0  # weights of b and c at the foot
    if ab_ap <= 0 and ac_ap <= 0:
        pass
    elif ab_bp >= 0 and ac_bp <= ab_bp:
        v = 1.0
    elif at_c <= 0 and ab_ap >= 0 and ab_bp <= 0:
        v = ab_ap / (ab_ap - ab_bp) if ab_ap > ab_bp else 0.0
    elif ac_cp >= 0 and ab_cp <= ac_cp:
        w = 1.0
    elif at_b <= 0 and ac_ap >= 0 and ac_cp <= 0:
        w = ac_ap / (ac_ap - ac_cp) if ac_ap > ac_cp else 0.0
    elif at_a <= 0 and ac_bp >= ab_bp and ab_cp >= ac_cp:
        whole = (ac_bp - ab_bp) + (ab_cp - ac_cp)
        w = (ac_bp - ab_bp) / whole if whole > 0 else 0.0
        v = 1.0 - w
    else:
        total = at_a + at_b + at_c
        v, w = at_b / total, at_c / total
    fx, fy, fz = v * abx + w * acx, v * aby + w * acy, v * abz + w * acz
    square = (ax + fx) ** 2 + (ay + fy) ** 2 + (az + fz) ** 2
    to_a = fx * fx + fy * fy + fz * fz
    to_b = (fx - abx) ** 2 + (fy - aby) ** 2 + (fz - abz) ** 2
    to_c = (fx - acx) ** 2 + (fy - acy) ** 2 + (fz - acz) ** 2
    if to_a <= to_b and to_a <= to_c:
        return square, a
    return square, b if to_b <= to_c else c
