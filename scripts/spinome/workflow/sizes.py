"""How large the inputs of a job are: its memory, time and disk are asked for by that (`spinome.workflow.asking`).

Of volumes, stacks and meshes the headers say it. They are looked at when a job is about to start, and of what is not
made yet a plan takes a size that few have. A volume at an address is looked at once, before the first job, and its size
is kept in a file, so that no plan needs a network.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from spinome.io.atomic import atomic
from spinome.io.sources import is_address
from spinome.workflow.samples import StackRow, VolumeRow

# what is not there yet, or cannot be looked into, is taken for so many million voxels
UNKNOWN_VOLUME, UNKNOWN_STACK = 100.0, 20.0
# columns of a volume's row whose data are on the grid of the volume
ON_GRID = ("segmentation", "image", "membrane", "synapses", "mask", "vesicles")
# why a header cannot be read: not made yet, or broken, which preflight tells
UNREADABLE = (OSError, ValueError, KeyError, StopIteration, zipfile.BadZipFile)


class Size(NamedTuple):
    """What a job holds at a time, and all that it goes through: millions of voxels or vertices, or MB of files."""

    held: float
    total: float


class Sizes:
    """Millions of voxels of volumes and stacks by source; those at addresses are kept in a file."""

    def __init__(self, cache: str | Path):
        self.cache = Path(cache)
        self.seen: dict[tuple[str, str], float] = {}
        try:
            self.known: dict[str, float] = json.loads(self.cache.read_text())
        except (OSError, ValueError):
            self.known = {}

    def volume(self, row: VolumeRow) -> float:
        """Millions of voxels of a volume, from the first of its data that can be looked into."""
        for source in filter(None, (getattr(row, column) for column in ON_GRID)):
            found = self.known.get(source) if is_address(source) else self._look(source, _voxels_of_volume, row)
            if found is not None:
                return found
        return UNKNOWN_VOLUME

    def stack(self, row: StackRow) -> float:
        """Millions of voxels of a two-photon stack."""
        found = self._look(row.path, _voxels_of_stack, row)
        return UNKNOWN_STACK if found is None else found

    def resampled(self, row: StackRow) -> float:
        """The same of a stack as a detector sees it, which coarse pixels make larger than it is in the file."""
        found = self._look(row.path, _resampled_voxels_of_stack, row)
        return UNKNOWN_STACK if found is None else found

    def learn(self, rows: Iterable[VolumeRow]) -> None:
        """Look at volumes that are at addresses alone, and keep their sizes for this run and later ones."""
        learned = {}
        for row in rows:
            sources = [source for column in ON_GRID if (source := getattr(row, column))]
            if all(map(is_address, sources)) and not any(source in self.known for source in sources):
                try:
                    learned[sources[0]] = _voxels_of_volume(sources[0], row) / 1e6
                except UNREADABLE:
                    continue
        if learned:
            self.known |= learned
            with atomic(self.cache) as part:
                part.write_text(json.dumps(self.known))

    def _look(self, source: str, voxels: Callable[[str, Any], float], row: Any) -> float | None:
        key = source, voxels.__name__
        if key not in self.seen:
            try:
                self.seen[key] = voxels(source, row) / 1e6
            except UNREADABLE:
                return None
        return self.seen[key]


def of_files(wildcards: Any, input: Iterable[str]) -> Size:
    """MB of a job's input files, folders with all that is in them; those that are not made yet are left out."""
    total = sum(map(_bytes_of, set(map(str, input)))) / 1e6
    return Size(total, total)


def _bytes_of(path: str) -> int:
    try:
        if not Path(path).is_dir():
            return Path(path).stat().st_size
        return sum(_bytes_of(entry.path) for entry in os.scandir(path))
    except OSError:
        return 0


# imported where they are needed, since the readers take a second to load, and Snakemake reads the rules for every job
def _voxels_of_volume(source: str, row: VolumeRow) -> float:
    from spinome.io.volumes import open_volume

    return prod(open_volume(source, row.voxel_nm).shape)


def _voxels_of_stack(source: str, row: StackRow) -> float:
    from spinome.io.stacks import open_stack

    return prod(open_stack(source, row.channel, row.voxel_um).shape)


def _resampled_voxels_of_stack(source: str, row: StackRow) -> float:
    from spinome.io.stacks import open_stack
    from spinome.twophoton.preprocess import PIXEL_UM

    opened = open_stack(source, row.channel, row.voxel_um)
    pixel = opened.voxel_um[1:] if opened.voxel_um else (PIXEL_UM, PIXEL_UM)
    return prod(opened.shape) * max(1.0, prod(pixel) / PIXEL_UM**2)
