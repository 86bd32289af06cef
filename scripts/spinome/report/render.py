"""Pictures of surfaces: parallel projection, hidden surfaces, soft light and dark outlines, on one core."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

BACKGROUND = np.array([255, 255, 255], np.float32)
# from the viewer's upper left
LIGHT = np.array([-0.4, -0.55, 0.73])
AMBIENT = 0.42
# pictures are drawn this much larger and then averaged
OVERSAMPLING = 2


@dataclass(frozen=True)
class Camera:
    """Where a picture is taken from: `rotation` (3, 3) has the picture's right, down and towards the viewer as rows.

    `centre` (3,) is in the middle, `nm_per_pixel` is its scale, `size` its height and width in pixels.
    """

    rotation: np.ndarray
    centre: np.ndarray
    nm_per_pixel: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Column, row and nearness (N, 3) of points (N, 3), in pixels."""
        turned = (points - self.centre) @ self.rotation.T / self.nm_per_pixel
        return turned + [self.size[1] / 2, self.size[0] / 2, 0]


def frame(vertices: np.ndarray, size: tuple[int, int], rotation: np.ndarray | None = None) -> Camera:
    """A camera that sees all vertices (V, 3), by default with their longest axis across and their thinnest in depth."""
    if rotation is None:
        middle = vertices.mean(axis=0)
        _, axes = np.linalg.eigh(np.cov((vertices - middle).T))
        rotation = axes[:, ::-1].T * np.sign(axes[np.abs(axes).argmax(axis=0), range(3)])[::-1, None]
        rotation[2] = np.cross(rotation[0], rotation[1])
    turned = vertices @ rotation.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = 1.04 * max((high[0] - low[0]) / size[1], (high[1] - low[1]) / size[0])
    return Camera(rotation, (low + high) / 2 @ rotation, float(scale), size)


def render_mesh(vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, camera: Camera) -> np.ndarray:
    """Draw a surface.

    Parameters
    ----------
    vertices : (V, 3); faces : (F, 3)
    colours : (V, 3) of each vertex, 0 to 1
    camera : see `frame`

    Returns
    -------
    (H, W, 3) uint8 on white
    """
    times = OVERSAMPLING
    height, width = camera.size[0] * times, camera.size[1] * times
    points = camera.project(vertices) * times
    normals = _normals(points, faces)
    light = LIGHT / np.linalg.norm(LIGHT)
    bright = AMBIENT + (1 - AMBIENT) * np.maximum(normals @ light, 0)
    lit = (255 * np.clip(colours * bright[:, None], 0, 1)).astype(np.float32)
    image = np.tile(BACKGROUND, (height, width, 1))
    depth = np.full((height, width), -np.inf, np.float32)
    _fill(points.astype(np.float32), faces.astype(np.int64), lit, image, depth)
    image *= _outlines(depth)[..., None]
    return image.reshape(camera.size[0], times, camera.size[1], times, 3).mean(axis=(1, 3)).astype(np.uint8)


def visible(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, camera: Camera, slack_nm: float) -> np.ndarray:
    """Which points (N, 3) lie no deeper than `slack_nm` behind the surface that the camera sees."""
    depth = np.full(camera.size, -np.inf, np.float32)
    image = np.zeros((*camera.size, 3), np.float32)
    _fill(
        camera.project(vertices).astype(np.float32),
        faces.astype(np.int64),
        np.zeros((len(vertices), 3), np.float32),
        image,
        depth,
    )
    column, row, near = camera.project(points).T
    inside = (column >= 0) & (row >= 0) & (column < camera.size[1]) & (row < camera.size[0])
    seen = np.zeros(len(points), bool)
    place = row[inside].astype(int), column[inside].astype(int)
    seen[inside] = near[inside] >= depth[place] - slack_nm / camera.nm_per_pixel
    return seen


def _normals(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals of vertices, turned to the viewer."""
    a, b, c = points[faces].transpose(1, 0, 2)
    face = np.cross(b - a, c - a)
    normal = np.stack(
        [np.bincount(faces.reshape(-1), np.repeat(face[:, i], 3), minlength=len(points)) for i in range(3)], axis=1
    )
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-12)[:, None]
    return normal * np.where(normal[:, 2:] < 0, -1, 1)


def _outlines(depth: np.ndarray) -> np.ndarray:
    """Darkening (H, W) where the surface drops away behind an edge."""
    filled = np.where(np.isfinite(depth), depth, np.nan)
    dark = np.zeros(depth.shape, np.float32)
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        drop = np.nan_to_num(np.roll(filled, shift, axis) - filled, nan=0.0)
        dark = np.maximum(dark, np.clip((drop - 6) / 40, 0, 0.55))
    return 1 - dark


@numba.njit(cache=True)
def _fill(points, faces, colours, image, depth):
    height, width = depth.shape
    for face in range(len(faces)):
        i, j, k = faces[face]
        ax, ay, bx, by, cx, cy = (
            points[i, 0],
            points[i, 1],
            points[j, 0],
            points[j, 1],
            points[k, 0],
            points[k, 1],
        )
        left, right = max(int(min(ax, bx, cx)), 0), min(int(max(ax, bx, cx)) + 1, width - 1)
        top, bottom = max(int(min(ay, by, cy)), 0), min(int(max(ay, by, cy)) + 1, height - 1)
        twice = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if left > right or top > bottom or twice == 0:
            continue
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                v = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / twice
                w = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / twice
                u = 1 - v - w
                # a hair's width of slack leaves no gap between faces
                if u < -1e-4 or v < -1e-4 or w < -1e-4:
                    continue
                near = u * points[i, 2] + v * points[j, 2] + w * points[k, 2]
                if near > depth[row, column]:
                    depth[row, column] = near
                    for channel in range(3):
                        image[row, column, channel] = (
                            u * colours[i, channel] + v * colours[j, channel] + w * colours[k, channel]
                        )
