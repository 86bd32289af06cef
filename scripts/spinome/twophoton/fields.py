"""Flat field views with boxes or outlines of their spines, to train the detector on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import imageio.v3 as imageio
import numpy as np
import pandas as pd
from scipy import ndimage

from spinome.io.tables import read_table, table_columns

# tables of a folder of field views, the first that is there, and the columns that they need
FIELD_TABLES = {
    "boxes.csv": ["image", "x_min_px", "y_min_px", "x_max_px", "y_max_px"],
    "outlines.csv": ["image", "spine", "y_px", "x_px"],
}
# views without groups are taken in so many
BLOCKS = 14
# what is kept around an outlined dendrite, and how its light fades there
SURROUNDINGS_PX, FADE_PX = 32, 2.0


class Field(NamedTuple):
    """A flat field view: `image` (Y, X) float32, `boxes` (N, 4) x_min, y_min, x_max, y_max in pixels from its corner.

    Views of one `group` are near-duplicates of each other, such as sessions of one dendrite.
    """

    image: np.ndarray
    boxes: np.ndarray
    group: str


def read_fields(folder: str | Path) -> Iterator[Field]:
    """Read flat field views in the order of their names, from `images` and a table beside it.

    `boxes.csv` has `image x_min_px y_min_px x_max_px y_max_px`. Where there is none, `outlines.csv` has a row for each
    corner of a polygon, `image spine y_px x_px`, on dendrites whose surroundings were painted black: boxes are the
    bounds of the polygons, and the view is what lies around the dendrite. A view with an outline of fewer than three
    corners is left out, since that spine would be taken for background. `group` is a column of either table; where
    there is none, the views are taken in fourteen blocks by name, since neighbours are often near-duplicates.

    Raises
    ------
    ValueError: if there is no box, an image has no group or several, or a spine lies outside of its image; the message
        names the table.
    """
    source = fields_table(folder)
    table, outlined = read_rows(source), "spine" in FIELD_TABLES[source.name]
    groups = groups_of(table, source)
    if outlined:
        table = _bounds(table, source)
    for name, own in table.groupby("image", sort=True):
        image = np.asarray(imageio.imread(source.parent / "images" / str(name)), np.float32)
        if image.ndim > 3 or (image.ndim == 3 and image.shape[2] not in (3, 4)):
            raise ValueError(
                f"{source.parent / 'images' / str(name)}: has shape {image.shape}; a field view is one image in grey "
                "values or in colour, export its pages one by one and without alpha"
            )
        image = image if image.ndim == 2 else image[..., :3].mean(axis=2)
        boxes = own[["x_min_px", "y_min_px", "x_max_px", "y_max_px"]].to_numpy(float)
        if (empty := (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)).any():
            raise ValueError(
                f"{source}: a box of {name} ends before it begins, at x {boxes[empty][0, 0]:g} to "
                f"{boxes[empty][0, 2]:g}, y {boxes[empty][0, 1]:g} to {boxes[empty][0, 3]:g}; correct its row"
            )
        beyond = (boxes < -1).any(axis=1) | (boxes > np.tile(image.shape[::-1], 2) + 1).any(axis=1)
        if beyond.any():
            height, width = image.shape
            raise ValueError(
                f"{source}: a spine of {name} lies outside of its image of {width} x {height} pixels, at x "
                f"{boxes[beyond][0, 0]:g} to {boxes[beyond][0, 2]:g}, y {boxes[beyond][0, 1]:g} to "
                f"{boxes[beyond][0, 3]:g}; correct its row, or take it out"
            )
        yield Field(*(_unpainted(image, boxes) if outlined else (image, boxes)), groups[name])


def fields_table(folder: str | Path) -> Path:
    """The table of a folder of field views: of boxes, or where there is none, of outlines."""
    tables = [Path(folder) / name for name in FIELD_TABLES]
    return next((table for table in tables if table.is_file()), tables[0])


def read_rows(source: Path) -> pd.DataFrame:
    """Read a table of field views; names of images and groups are text."""
    grouped = ["group"] if "group" in table_columns(source) else []
    return read_table(source, FIELD_TABLES[source.name], text=["image", *grouped])


def groups_of(table: pd.DataFrame, source: Path) -> dict[str, str]:
    """The group of each image of a table of field views.

    Raises
    ------
    ValueError: as `read_fields`.
    """
    names = sorted(table["image"].unique())
    if not names:
        raise ValueError(f"{source}: has no spine; give a table with at least one, or leave the folder out")
    if "group" not in table:
        return {name: str(number * BLOCKS // len(names)) for number, name in enumerate(names)}
    pairs = table[["image", "group"]].drop_duplicates()
    empty = pairs["group"].fillna("").str.strip() == ""
    if empty.any():
        name = pairs["image"][empty].iloc[0]
        raise ValueError(f"{source}: {name} has no group; give each image one, or leave the column out")
    if (twice := pairs["image"].duplicated()).any():
        raise ValueError(f"{source}: {pairs['image'][twice].iloc[0]} is in several groups; give each image one")
    return dict(zip(pairs["image"], pairs["group"]))


def _bounds(points: pd.DataFrame, source: Path) -> pd.DataFrame:
    """The bounds of the polygons of `outlines.csv` as boxes."""
    if points["spine"].isna().any():
        name = points["image"][points["spine"].isna()].iloc[0]
        raise ValueError(f"{source}: a point of {name} has no spine; say which outline it belongs to")
    spines = points.groupby(["image", "spine"], sort=True)
    bounds = {f"{axis}_{end}_px": (f"{axis}_px", end) for end in ("min", "max") for axis in ("x", "y")}
    table = spines.agg(corners=("x_px", "size"), **bounds).reset_index()
    unclear = table.loc[table["corners"] < 3, "image"].unique()
    if len(unclear):
        print(f"{source}: {len(unclear)} views with an outline of fewer than three corners are left out")
    if table["image"].isin(unclear).all():
        raise ValueError(f"{source}: no view has outlines of three corners or more; export polygons, or boxes.csv")
    return table[~table["image"].isin(unclear)]


def _unpainted(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What lies around a dendrite whose surroundings were painted black; its light fades into them."""
    lit = np.nonzero(image > 0)
    if not len(lit[0]):
        return image, boxes
    first = [max(0, int(own.min()) - SURROUNDINGS_PX) for own in lit]
    last = [int(own.max()) + 1 + SURROUNDINGS_PX for own in lit]
    part = image[first[0] : last[0], first[1] : last[1]]
    # an edge as sharp as that of the paint is nowhere in a microscope's image
    part = np.where(part > 0, part, ndimage.gaussian_filter(part, FADE_PX))
    return part, boxes - np.tile(first[::-1], 2)
