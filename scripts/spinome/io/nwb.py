"""Stacks in Neurodata Without Borders files, read with h5py alone (NWB schema 2, `TwoPhotonSeries`)."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from spinome.io.hdf5 import data_set, member
from spinome.io.opened_stack import Channel, Stack, pick_plane
from spinome.io.units import complete, in_um

KINDS = {"TwoPhotonSeries", "ImageSeries", "OnePhotonSeries"}


def open_nwb(path: Path, series: str, channel: Channel | None) -> Stack:
    """Open an image series as one stack.

    The schema orders data (frame, x, y) or (frame, x, y, z). A series of planes is a stack with a frame a slice, a
    series of volumes is a stack if it has one frame. Spacing is that of the imaging plane; where it is given along
    x and y alone, the sample sheet says all three.

    Parameters
    ----------
    path : file
    series : name or whole path of a series; empty where the file has one
    channel : see `spinome.io.stacks.open_stack`; a series has one channel

    Raises
    ------
    ValueError: for a damaged file, several series of which none is named, images kept elsewhere, several volumes.
    """
    try:
        with h5py.File(path, "r") as file:
            names: list[str] = []
            file.visititems(lambda name, node: names.append(name) if _is_series(node) else None)
            chosen = [name for name in names if not series or name == series or name.rpartition("/")[2] == series]
            if len(chosen) != 1:
                raise ValueError(f"has the image series {', '.join(names) or 'none'}; write {path.name}::NAME of one")
            name = chosen[0]
            data = data_set(file[name], "data")
            if data is None or 0 in data.shape:
                raise ValueError(f"keeps the images of {name} in other files; name those instead")
            shape, dtype, voxel = data.shape, data.dtype, _spacing(file[name])
    except OSError as error:
        raise ValueError(f"{path}: is truncated or no NWB file ({error}); copy it again") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    axes = {3: "ZXY", 4: "TXYZ"}.get(len(shape))
    if axes is None:
        raise ValueError(f"{path}: {name} has shape {shape}; a stack is (slice, x, y) or (1, x, y, z)")
    pick, depth = pick_plane(path, axes, shape, channel)

    def read(z: int) -> np.ndarray:
        with h5py.File(path, "r") as file:
            return file[name]["data"][pick(z)].T

    return Stack((depth, shape[2], shape[1]), dtype, voxel, str(path), read)


def _is_series(node: h5py.Group | h5py.Dataset) -> bool:
    kind = node.attrs.get("neurodata_type", "")
    return isinstance(node, h5py.Group) and (kind.decode() if isinstance(kind, bytes) else kind) in KINDS


def _spacing(series: h5py.Group) -> tuple[float, float, float] | None:
    """Voxel size (z, y, x) in um of the series' imaging plane, None where it is not all there."""
    plane = member(series, "imaging_plane")
    spacing = data_set(plane, "grid_spacing") if isinstance(plane, h5py.Group) else None
    if spacing is None:
        return None
    unit = spacing.attrs.get("unit", "meters")
    sizes = np.asarray(spacing, float).ravel()
    return complete(in_um(size, unit.decode() if isinstance(unit, bytes) else unit) for size in sizes[::-1])
