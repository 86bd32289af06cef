"""Cross-sections of parts of a surface: the lines of equal distance from their base."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True)
class Sections:
    """Cross-sections of parts, those of one part together and from its base outwards.

    Part p has the rows `start[p]` to `start[p + 1]` (R + 1,); row i of it is at the distance (i + 1/2) steps.
    `diameter` (S,) of the circle of its area, `middle` (S, 3); 0 and NaN where there is no line.
    """

    start: np.ndarray
    diameter: np.ndarray
    middle: np.ndarray

    def of(self, part: int) -> slice:
        """The rows of a part."""
        return slice(self.start[part], self.start[part + 1])


def cross_sections(
    vertices: np.ndarray, faces: np.ndarray, owner: np.ndarray, distance: np.ndarray, count: int, step: float
) -> Sections:
    """Sections of parts of a surface along a distance that is linear on each face.

    A section's area is the length of its vector area, the sum of half the cross products of the ends of its pieces
    about its middle: it follows the plane of the section, wherever it points, and forgives a jagged line.

    Parameters
    ----------
    vertices : (V, 3)
    faces, owner : (F, 3), (F,) the part of each face, all of a part turned the same way
    distance : (V,) finite on the faces
    count : number of parts
    step : between sections, in the unit of the vertices
    """
    last = np.ceil(distance[faces].max(axis=1, initial=0.0) / step - 0.5).astype(np.int64)
    number = np.zeros(count, np.int64)
    np.maximum.at(number, owner, last)
    start = np.r_[0, np.cumsum(number)]
    length, middle, cross, gap = _sum_pieces(vertices, faces, start[owner], distance, start[-1], step)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle /= length[:, None]
    # the sum of the cross products about the middle; the ends of a closed line leave no gap
    area = np.linalg.norm(cross - np.cross(np.nan_to_num(middle), gap), axis=1) / 2
    return Sections(start, 2 * np.sqrt(area / np.pi), middle)


@numba.njit(cache=True)
def _sum_pieces(vertices, faces, first_row, distance, rows, step):
    """Of each section's pieces from p to q: the sums of length, of length times middle, of p x q and of q - p."""
    length, middle = np.zeros(rows), np.zeros((rows, 3))
    cross, gap = np.zeros((rows, 3)), np.zeros((rows, 3))
    p, q = np.zeros(3), np.zeros(3)
    for f in range(len(faces)):
        # the corners from the lowest to the highest, and whether they follow one another as in the face
        a, b, c = faces[f]
        way = 1.0
        if distance[b] < distance[a]:
            a, b, way = b, a, -way
        if distance[c] < distance[b]:
            b, c, way = c, b, -way
        if distance[b] < distance[a]:
            a, b, way = b, a, -way
        for level in range(np.ceil(distance[a] / step - 0.5), np.ceil(distance[c] / step - 0.5)):
            height = (level + 0.5) * step
            low, high = (a, b) if height < distance[b] else (b, c)
            one = (height - distance[a]) / (distance[c] - distance[a])
            other = (height - distance[low]) / (distance[high] - distance[low])
            square = 0.0
            for axis in range(3):
                p[axis] = vertices[a, axis] + one * (vertices[c, axis] - vertices[a, axis])
                q[axis] = vertices[low, axis] + other * (vertices[high, axis] - vertices[low, axis])
                square += (p[axis] - q[axis]) ** 2
            own, row = np.sqrt(square), first_row[f] + level
            length[row] += own
            for axis in range(3):
                middle[row, axis] += own * (p[axis] + q[axis]) / 2
                gap[row, axis] += way * (q[axis] - p[axis])
            cross[row, 0] += way * (p[1] * q[2] - p[2] * q[1])
            cross[row, 1] += way * (p[2] * q[0] - p[0] * q[2])
            cross[row, 2] += way * (p[0] * q[1] - p[1] * q[0])
    return length, middle, cross, gap
