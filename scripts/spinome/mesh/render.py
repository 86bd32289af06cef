"""Shaded pictures of triangle meshes by a z-buffer: no display, no graphics library, the same pixels everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy.ndimage import gaussian_filter

SUPERSAMPLING = 2
KEY_LIGHT = np.array([-0.45, 0.6, 0.66])
AMBIENT, KEY, HEADLIGHT = 0.38, 0.45, 0.25
OCCLUSION = 0.45  # how dark what lies behind an edge becomes
HAZE = 0.35  # how pale the farthest point becomes


@dataclass(frozen=True)
class Camera:
    """Orthographic camera: `axes` (3, 3) rows right, up, towards the viewer; `centre` in nm; `size` (H, W) pixels."""

    axes: np.ndarray
    centre: np.ndarray
    nm_per_px: float
    size: tuple[int, int]

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel x, pixel y (downwards) and height towards the viewer in nm of points (N, 3) x y z nm."""
        seen = (np.asarray(points, float) - self.centre) @ self.axes.T
        height, width = self.size
        return np.stack(
            [seen[:, 0] / self.nm_per_px + width / 2, height / 2 - seen[:, 1] / self.nm_per_px, seen[:, 2]], axis=1
        )


def fit_camera(
    vertices: np.ndarray, size: tuple[int, int] = (700, 1000), view: str | np.ndarray = "broad", margin: float = 0.04
) -> Camera:
    """A camera that sees all vertices.

    Parameters
    ----------
    vertices : (V, 3) x y z in nm
    size : height and width of the picture
    view : `broad` to look along the shortest principal axis with the longest one horizontal; `x`, `y` or `z` to
        look along that axis; or a rotation (3, 3) with rows right, up, towards the viewer
    margin : share of the picture left free on each side
    """
    vertices = np.asarray(vertices, float)
    if isinstance(view, str) and view == "broad":
        _, axes = np.linalg.eigh(np.cov((vertices - vertices.mean(axis=0)).T))
        axes = axes.T[::-1]
        axes[0] *= np.sign(axes[0, np.argmax(np.abs(axes[0]))])
        axes[1] *= np.sign(axes[1, np.argmax(np.abs(axes[1]))])
        axes[2] = np.cross(axes[0], axes[1])
    elif isinstance(view, str):
        # image rows run downwards along the second axis, as in a slice of the volume
        right, down = {"z": (0, 1), "y": (0, 2), "x": (2, 1)}[view]
        axes = np.stack([np.eye(3)[right], -np.eye(3)[down], np.cross(np.eye(3)[right], -np.eye(3)[down])])
    else:
        axes = np.asarray(view, float)
    seen = vertices @ axes.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = np.array([size[1], size[0]]) * (1 - 2 * margin)
    scale = max(float(((high - low)[:2] / room).max()), 1e-9)
    return Camera(axes, (low + high) / 2 @ axes, scale, (int(size[0]), int(size[1])))


def render_mesh(
    vertices: np.ndarray,
    faces: np.ndarray,
    colours: np.ndarray,
    view: str | np.ndarray = "broad",
    size: tuple[int, int] = (700, 1000),
    camera: Camera | None = None,
    background: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> np.ndarray:
    """Draw a mesh with a colour a vertex.

    Lambert shading by a key light and a headlight, darkening behind edges from the blurred depth (Luft, Colditz &
    Deussen 2006, https://doi.org/10.1145/1141911.1142016), and haze with distance.

    Parameters
    ----------
    vertices, faces : (V, 3) x y z in nm, (F, 3)
    colours : (V, 3) or (3,), 0 to 1
    view, size : see `fit_camera`; not used where a camera is given
    camera : to draw several things on one another, or synapses (`Camera.project`)

    Returns
    -------
    (H, W, 3) uint8
    """
    vertices, faces = np.asarray(vertices, float), np.asarray(faces, np.int64)
    camera = camera or fit_camera(vertices, size, view)
    height, width = camera.size
    fine = Camera(
        camera.axes,
        camera.centre,
        camera.nm_per_px / SUPERSAMPLING,
        (height * SUPERSAMPLING, width * SUPERSAMPLING),
    )
    places = fine.project(vertices)
    normals = _vertex_normals(vertices, faces) @ camera.axes.T
    colours = np.broadcast_to(np.asarray(colours, np.float32), (len(vertices), 3))
    depth = np.full(fine.size, -np.inf)
    face = np.full(fine.size, -1, np.int64)
    weight = np.zeros((*fine.size, 3), np.float32)
    _fill_triangles(places, faces, depth, face, weight)
    hit = face >= 0
    picture = np.broadcast_to(np.asarray(background, np.float32), (*fine.size, 3)).copy()
    if hit.any():
        corners, share = faces[face[hit]], weight[hit][:, :, None]
        normal = (normals[corners] * share).sum(axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        normal[normal[:, 2] < 0] *= -1
        light = AMBIENT + KEY * (normal @ KEY_LIGHT).clip(0) + HEADLIGHT * normal[:, 2]
        shaded = (colours[corners] * share).sum(axis=1) * light[:, None]
        far = _haze(depth[hit])[:, None]
        shaded = shaded * (1 - far) + np.asarray(background) * far
        picture[hit] = shaded * (1 - _occlusion(depth, hit, fine.nm_per_px)[hit])[:, None]
    picture = picture.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING, 3).mean(axis=(1, 3))
    return np.round(picture.clip(0, 1) * 255).astype(np.uint8)


def visible(vertices: np.ndarray, faces: np.ndarray, points: np.ndarray, camera: Camera, slack_nm: float) -> np.ndarray:
    """Which points (N, 3) lie in the picture and no deeper than `slack_nm` behind the surface that is seen there."""
    depth = np.full(camera.size, -np.inf)
    face, weight = np.full(camera.size, -1, np.int64), np.zeros((*camera.size, 3), np.float32)
    _fill_triangles(camera.project(vertices), np.asarray(faces, np.int64), depth, face, weight)
    column, row, near = camera.project(points).T
    seen = (column >= 0) & (row >= 0) & (column < camera.size[1]) & (row < camera.size[0])
    place = row[seen].astype(int), column[seen].astype(int)
    seen[seen] = near[seen] >= depth[place] - slack_nm
    return seen


def _haze(depth: np.ndarray) -> np.ndarray:
    low, high = np.percentile(depth, [1, 99])
    return HAZE * ((high - depth) / max(high - low, 1e-9)).clip(0, 1)


def _occlusion(depth: np.ndarray, hit: np.ndarray, nm_per_px: float) -> np.ndarray:
    """Darkness from 0 to OCCLUSION where the neighbourhood stands higher than the pixel."""
    blur = 5.0 * SUPERSAMPLING
    floor = depth[hit].min() - 20 * blur * nm_per_px
    filled = np.where(hit, depth, floor)
    above = np.maximum(
        gaussian_filter(np.where(hit, depth, 0), blur) / np.maximum(gaussian_filter(hit * 1.0, blur), 1e-3), floor
    )
    return OCCLUSION * ((above - filled) / (2.5 * blur * nm_per_px)).clip(0, 1)


def _vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.stack(
        [
            sum(np.bincount(faces[:, corner], normal[:, axis], len(vertices)) for corner in range(3))
            for axis in range(3)
        ],
        axis=1,
    )
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


@numba.njit(cache=True)
def _fill_triangles(places, faces, depth, face, weight):
    height, width = depth.shape
    for f in range(len(faces)):
        a, b, c = places[faces[f, 0]], places[faces[f, 1]], places[faces[f, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0.0:
            continue
        left = max(0, int(np.floor(min(a[0], b[0], c[0]))))
        right = min(width - 1, int(np.ceil(max(a[0], b[0], c[0]))))
        top = max(0, int(np.floor(min(a[1], b[1], c[1]))))
        bottom = min(height - 1, int(np.ceil(max(a[1], b[1], c[1]))))
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                w = 1.0 - u - v
                if u < -1e-9 or v < -1e-9 or w < -1e-9:
                    continue
                z = u * a[2] + v * b[2] + w * c[2]
                if z > depth[row, column]:
                    depth[row, column] = z
                    face[row, column] = f
                    weight[row, column, 0] = u
                    weight[row, column, 1] = v
                    weight[row, column, 2] = w
