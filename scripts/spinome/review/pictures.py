"""Pictures of a question: slices around its place, cut and scaled on the server, and drawn by the browser as they are.

Colours of candidates are those of Okabe and Ito (2008), which colour-blind people can tell apart; each candidate also
bears its number.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from spinome.io.volumes import Volume
from spinome.mesh.render import fit_camera, render_mesh

CANDIDATE_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
OUTLINE = "#FFFFFF"
# grey values are stretched between these percentiles of what is shown
LOW, HIGH, SPARED = 1.0, 99.7, 3
SHADE = 0.35
# half the room that a name takes
TEXT_PX = 20
# how far around a synapse its mesh is shown, and how fine
PATCH_NM, MESH_PX = 3500.0, 340


@dataclass(frozen=True)
class View:
    """A picture of slices, one below the other in `image`, and where they lie.

    Attributes
    ----------
    title : what is shown
    unit : the stack or volume whose coordinates these are; empty where a click says nothing
    image, overlay : data addresses, `slices` squares of `side_px` below each other; `overlay` may be empty
    slices, first : number of slices, and the one that is shown at first
    side_px, um_per_px : of a slice
    z_um, step_um : depth of the first slice and distance of slices
    y_um, x_um : place of the middle of a slice
    """

    title: str
    unit: str
    image: str
    overlay: str
    slices: int
    first: int
    side_px: int
    um_per_px: float
    z_um: float
    step_um: float
    y_um: float
    x_um: float

    def plain(self) -> dict:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Cut:
    """A box of a volume on its own grid: `voxels` (Z, Y, X), the index of its first voxel, and the middle slice."""

    voxels: np.ndarray
    start: tuple[int, int, int]
    middle: int


def cut(volume: Volume, index: np.ndarray, side: tuple[float, float], half_slices: int) -> Cut:
    """The box around a place, within the volume.

    Parameters
    ----------
    index : (3,) place in voxels, counted from the centre of the first one
    side : height and width in voxels
    half_slices : slices before and after the middle one
    """
    middle = int(np.clip(round(float(index[0])), 0, volume.shape[0] - 1))
    low = [middle - half_slices, *(int(np.floor(index[axis + 1] - side[axis] / 2)) - 1 for axis in (0, 1))]
    high = [middle + half_slices + 1, *(int(np.ceil(index[axis + 1] + side[axis] / 2)) + 2 for axis in (0, 1))]
    start = tuple(int(np.clip(a, 0, n - 1)) for a, n in zip(low, volume.shape))
    stop = [int(np.clip(b, first + 1, n)) for b, first, n in zip(high, start, volume.shape)]
    box = tuple(slice(a, b) for a, b in zip(start, stop))
    return Cut(np.asarray(volume[box]), start, middle - start[0])


def squares(box: Cut, index: np.ndarray, voxel: tuple[float, float], side: float, px: int, order: int) -> np.ndarray:
    """The slices of a box as squares (Z, px, px) around a place; outside of the volume 0.

    Parameters
    ----------
    index : (3,) place in voxels
    voxel : height and width of a voxel, `side` of a square, in one unit
    order : 1 for grey values, 0 for labels
    """
    steps = ((np.arange(px) + 0.5) / px - 0.5) * side
    rows, columns = (index[axis + 1] + steps / voxel[axis] - box.start[axis + 1] for axis in (0, 1))
    if order == 0:
        near = [np.rint(line).astype(int) for line in (rows, columns)]
        clipped = [line.clip(0, n - 1) for line, n in zip(near, box.voxels.shape[1:])]
        out = box.voxels.take(clipped[0], 1).take(clipped[1], 2)
        outside = [line != own for line, own in zip(near, clipped)]
        out[:, outside[0]], out[:, :, outside[1]] = 0, 0
        return out
    return _between(_between(box.voxels.astype(np.float32), rows, 1), columns, 2)


def _between(values: np.ndarray, places: np.ndarray, axis: int) -> np.ndarray:
    """Values at places along an axis, by straight lines between neighbours; outside 0."""
    last = values.shape[axis] - 1
    low = np.floor(places).astype(int).clip(0, last)
    share = (places - low).astype(np.float32)
    share[(places < 0) | (places > last)] = 0
    shape = [-1 if own == axis else 1 for own in range(values.ndim)]
    # pictures are large, and each copy of one takes time
    before, out = (values.take(index, axis) for index in (low, np.minimum(low + 1, last)))
    out -= before
    out *= share.reshape(shape)
    out += before
    outside = np.flatnonzero((places < 0) | (places > last))
    out[tuple(outside if own == axis else slice(None) for own in range(values.ndim))] = 0
    return out


def stretched(grey: np.ndarray) -> np.ndarray:
    """Grey values as bytes, stretched between `LOW` and `HIGH` percent."""
    # every third pixel of a row and of a column tells as much, in a ninth of the time
    low, high = np.percentile(grey[:, ::SPARED, ::SPARED], [LOW, HIGH])
    out = np.subtract(grey, low, dtype=np.float32)
    out *= 255 / max(high - low, 1e-6)
    return out.clip(0, 255, out=out).astype(np.uint8)


def outlined(labels: np.ndarray) -> np.ndarray:
    """Outlines of labels (Z, H, W) in each slice as bytes, where there are no grey values."""
    rows, columns = (np.diff(labels, axis=axis, append=-1) != 0 for axis in (1, 2))
    return np.where(rows | columns, 90, np.where(labels > 0, 40, 0)).astype(np.uint8)


def coloured(labels: np.ndarray, chosen: Sequence[int], colours: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Chosen labels as shades with an outline and a name, (Z, H, W, 4) bytes; all else is clear.

    Parameters
    ----------
    labels : (Z, H, W)
    chosen, colours, names : labels, their colours and what is written on them, alike long
    """
    out = np.zeros((*labels.shape, 4), np.uint8)
    font = ImageFont.load_default(size=15)
    for label, colour, name in zip(chosen, colours, names):
        everywhere = labels == label
        if not everywhere.any():
            continue
        # what lies around it need not be looked at
        flat = everywhere.any(axis=0)
        rows, columns = (np.flatnonzero(flat.any(axis=axis)) for axis in (1, 0))
        box = (slice(None), *(slice(max(line[0] - 1, 0), line[-1] + 2) for line in (rows, columns)))
        mask, picture = everywhere[box], out[box]
        rgb = tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
        edge = mask & ~_in_squares(ndimage.minimum_filter1d, mask, 5)
        # a dark line around it shows a light colour on light tissue
        dark = _in_squares(ndimage.maximum_filter1d, mask, 3) & ~mask
        for where, pixel in ((dark, (0, 0, 0, 255)), (mask, (*rgb, int(255 * SHADE))), (edge, (*rgb, 255))):
            # four bytes at once
            np.copyto(picture.view(np.uint32)[..., 0], np.array(pixel, np.uint8).view(np.uint32), where=where)
        for plane, own in zip(out, everywhere):
            if name and own.sum() >= 40:
                _write(plane, own, name, font)
    return out


def _in_squares(line_filter: Callable, mask: np.ndarray, size: int) -> np.ndarray:
    """The least or greatest of each slice (Z, H, W) in squares of an edge."""
    rows = line_filter(mask.view(np.uint8), size, axis=1, mode="nearest")
    return line_filter(rows, size, axis=2, mode="nearest").astype(bool)


def _write(plane: np.ndarray, mask: np.ndarray, name: str, font: ImageFont.FreeTypeFont) -> None:
    """Write a name onto the middle of a mask (H, W) in a picture (H, W, 4)."""
    places = np.argwhere(mask)
    row, column = places[np.abs(places - places.mean(axis=0)).sum(axis=1).argmin()]
    top, left = max(int(row) - TEXT_PX, 0), max(int(column) - TEXT_PX, 0)
    patch = plane[top : top + 2 * TEXT_PX, left : left + 2 * TEXT_PX]
    picture = Image.fromarray(np.ascontiguousarray(patch))
    style = {"anchor": "mm", "stroke_width": 2, "stroke_fill": (0, 0, 0, 255)}
    place = (int(column) - left, int(row) - top)
    ImageDraw.Draw(picture).text(place, name, fill=(255, 255, 255, 255), font=font, **style)
    patch[:] = np.asarray(picture)


def data_address(pictures: np.ndarray) -> str:
    """Pictures (Z, H, W) or (Z, H, W, C) of bytes below each other in an address.

    Grey values as a JPEG that hardly differs (quality 95), since a PNG of their noise takes ten times as long to make
    and twice the room; colours as a PNG.
    """
    flat = np.ascontiguousarray(pictures.reshape(-1, *pictures.shape[2:]))
    kind = "jpeg" if pictures.ndim == 3 else "png"
    return f"data:image/{kind};base64,{base64.b64encode((_jpeg if pictures.ndim == 3 else _png)(flat)).decode()}"


def _jpeg(flat: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(flat).save(stream, "jpeg", quality=95)
    return stream.getvalue()


def _png(flat: np.ndarray) -> bytes:
    """A PNG of colours (H, W, 3 or 4) whose rows are not filtered: Pillow tries five filters on each row, which takes
    most of its time and gains little where most pixels are clear."""
    height, width, channels = flat.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = flat.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6 if channels == 4 else 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")]
    sizes = [(struct.pack(">I", len(data)), struct.pack(">I", zlib.crc32(tag + data))) for tag, data in chunks]
    framed = [size + tag + data + check for (tag, data), (size, check) in zip(chunks, sizes)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


def slices_view(
    title: str,
    unit: str,
    volume: Volume,
    voxel_um: tuple[float, float, float],
    first_voxel: float,
    place_um: np.ndarray,
    side_um: float,
    half_slices: int,
    px: int,
    project: bool = False,
) -> View:
    """Slices of grey values around a place, or the brightest of them all.

    Parameters
    ----------
    first_voxel : where tables have the centre of the first voxel, in voxels (`spinome.io.volumes.Space`)
    place_um : (3,) z y x
    project : whether the slices are projected
    """
    index = place_um / voxel_um - first_voxel
    box = cut(volume, index, (side_um / voxel_um[1], side_um / voxel_um[2]), half_slices)
    grey = squares(box, index, voxel_um[1:], side_um, px, 1)
    grey = grey.max(axis=0, keepdims=True) if project else grey
    first = 0 if project else box.middle
    depth = (box.start[0] + (box.middle if project else 0) + first_voxel) * voxel_um[0]
    picture = data_address(stretched(grey))
    place = (float(depth), float(voxel_um[0]), float(place_um[1]), float(place_um[2]))
    return View(title, unit, picture, "", len(grey), first, px, side_um / px, *place)


def labels_view(
    title: str,
    unit: str,
    grey: Volume | None,
    labels: Volume,
    voxel_um: tuple[float, float, float],
    first_voxel: float,
    place_um: np.ndarray,
    side_um: float,
    half_slices: int,
    px: int,
    chosen: Sequence[int],
    colours: Sequence[str],
    names: Sequence[str],
) -> View:
    """As `slices_view`, with chosen labels drawn over the grey values, or where there are none over all outlines."""
    index = place_um / voxel_um - first_voxel
    side = (side_um / voxel_um[1], side_um / voxel_um[2])
    box = cut(labels, index, side, half_slices)
    shown = squares(box, index, voxel_um[1:], side_um, px, 0)
    if grey is None:
        picture = outlined(shown)
    else:
        picture = stretched(squares(cut(grey, index, side, half_slices), index, voxel_um[1:], side_um, px, 1))
    over = data_address(coloured(shown, chosen, colours, names))
    depth = (box.start[0] + first_voxel) * voxel_um[0]
    place = (float(depth), float(voxel_um[0]), float(place_um[1]), float(place_um[2]))
    return View(title, unit, data_address(picture), over, len(picture), box.middle, px, side_um / px, *place)


def facing(vertices: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Directions (3, 3) to the right, up and toward the viewer, to whom the surface at a place turns.

    Parameters
    ----------
    vertices, centre : (V, 3) and (3,), in nm
    """
    around = vertices[np.linalg.norm(vertices - centre, axis=1) < PATCH_NM / 2]
    away = centre - around.mean(axis=0) if len(around) else np.zeros(3)
    # where there is no surface, or all around, one side is as good as another
    toward = away / np.linalg.norm(away) if np.linalg.norm(away) > 1 else np.eye(3)[2]
    right = np.cross(np.eye(3)[np.abs(toward).argmin()], toward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(toward, right), toward])


def mesh_views(
    vertices: np.ndarray, faces: np.ndarray, place_nm: np.ndarray, marks_nm: np.ndarray | None = None
) -> list[View]:
    """The patch of a mesh around a place from two sides, with rings around marks.

    Parameters
    ----------
    vertices, faces : (V, 3) x y z in nm, (F, 3)
    place_nm : (3,) z y x
    marks_nm : (M, 3) z y x; the place itself where none are given
    """
    centre = np.asarray(place_nm, float)[::-1]
    marks = centre[None] if marks_nm is None else np.asarray(marks_nm, float)[:, ::-1]
    near = (np.abs(vertices - centre) < PATCH_NM).all(axis=1)
    kept = faces[near[faces].all(axis=1)]
    if not len(kept):
        return []
    used, packed = np.unique(kept, return_inverse=True)
    patch, packed = vertices[used], packed.reshape(kept.shape)
    # the surface at the place faces the viewer first, and is seen from the side then
    right, up, toward = facing(patch, centre)
    out = []
    for title, axes in (("from the front", [right, up, toward]), ("from the side", [-toward, up, right])):
        camera = fit_camera(patch, (MESH_PX, MESH_PX), np.array(axes))
        picture = Image.fromarray(render_mesh(patch, packed, np.array([0.75, 0.78, 0.82]), camera=camera))
        draw = ImageDraw.Draw(picture)
        for x, y, _ in camera.project(marks):
            for radius, colour in ((9, "black"), (8, "#D55E00"), (7, "#D55E00"), (6, "black")):
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=colour)
        address = data_address(np.asarray(picture)[None])
        place = (float(place_nm[0]) / 1000, 1.0, float(place_nm[1]) / 1000, float(place_nm[2]) / 1000)
        out.append(View(title, "", address, "", 1, 0, MESH_PX, camera.nm_per_px / 1000, *place))
    return out
