"""Cross-sections of parts of a surface: the lines of equal distance from their base."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spinome.neurons.closed import group_mean


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
    low, high = distance[faces].min(axis=1), distance[faces].max(axis=1)
    first, last = (np.ceil(value / step - 0.5).astype(np.int64) for value in (low, high))
    number = np.zeros(count, np.int64)
    np.maximum.at(number, owner, last)
    start = np.r_[0, np.cumsum(number)]
    times = last - first
    face = np.repeat(np.arange(len(faces)), times)
    level = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times) + first[face]
    row, height = start[owner[face]] + level, (level + 0.5) * step
    # corners from the lowest to the highest; the piece runs the same way round where their order is the face's own
    corner = np.argsort(distance[faces], axis=1, kind="stable")
    way = np.where((corner[:, 1] - corner[:, 0]) % 3 == 1, 0.5, -0.5)[face]
    ranked = np.take_along_axis(faces, corner, axis=1)[face]
    below = height < distance[ranked[:, 1]]
    one = _between(vertices, distance, ranked[:, 0], ranked[:, 2], height)
    other = _between(
        vertices,
        distance,
        np.where(below, ranked[:, 0], ranked[:, 1]),
        np.where(below, ranked[:, 1], ranked[:, 2]),
        height,
    )
    middle = group_mean((one + other) / 2, row, start[-1], np.linalg.norm(one - other, axis=1))
    piece = np.cross(one - middle[row], other - middle[row]) * way[:, None]
    area = np.stack([np.bincount(row, column, minlength=start[-1]) for column in piece.T], axis=1)
    return Sections(start, 2 * np.sqrt(np.linalg.norm(area, axis=1) / np.pi), middle)


def _between(vertices, distance, low, high, height) -> np.ndarray:
    """The points (N, 3) at a height on the edges from `low` to `high`."""
    share = (height - distance[low]) / np.maximum(distance[high] - distance[low], 1e-12)
    return vertices[low] + (vertices[high] - vertices[low]) * share[:, None]
