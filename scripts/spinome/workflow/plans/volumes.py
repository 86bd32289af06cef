"""What the rules of every branch that works on EM volumes ask of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from types import SimpleNamespace
from typing import Any

from spinome.io.sources import file_of, given_files
from spinome.io.units import VoxelSize
from spinome.workflow.asking import SizeOf
from spinome.workflow.samples import VolumeRow
from spinome.workflow.sizes import Size
from spinome.workflow.study import Study


@dataclass(frozen=True, repr=False)
class VolumesPlan:
    """The rows of the sheet `volumes`, for rules of one volume (`wildcards.volume`) and for rules of several.

    The sources of a row go into the parameter `aside`, and count by what is in them: parameter `inputs`.

    Attributes
    ----------
    study : configuration and rows
    """

    study: Study

    def row(self, volume: str) -> VolumeRow:
        """The row of a volume."""
        return self.study.volume_of[volume]

    def voxel_nm(self, wildcards: Any) -> VoxelSize | None:
        """The size of a voxel that the sheet gives for the rule's volume."""
        return self.row(wildcards.volume).voxel_nm

    def file(self, column: str) -> Callable[[Any], str | list[str]]:
        """An input function: the file of a column of the rule's volume."""
        return lambda wildcards: file_of(getattr(self.row(wildcards.volume), column))

    def stamps(self, *columns: str) -> Callable[[Any], list[str]]:
        """A function of wildcards: what counts of these columns of the rule's volume."""
        return lambda wildcards: self.stamps_of([wildcards.volume], *columns)

    def aside(self, *columns: str, **values: Any) -> Callable[[Any], SimpleNamespace]:
        """A function of wildcards: the parameter `aside` with the sources of the rule's volume as `row`."""
        return lambda wildcards: self.study.aside(row=self.sources(wildcards.volume, *columns), **values)

    def sources(self, volume: str, *columns: str) -> dict[str, Any]:
        """What columns of a volume's row say, with the size of a voxel."""
        row = self.row(volume)
        return {column: getattr(row, column) for column in (*columns, "voxel_nm")}

    def files_of(self, volumes: Iterable[str], *columns: str) -> dict[str, str]:
        """Named inputs `<column>/<volume>`: the files of these columns, where they are given."""
        return given_files(
            {
                f"{column}/{volume}": file_of(getattr(self.row(volume), column))
                for column in columns
                for volume in volumes
            }
        )

    def stamps_of(self, volumes: Iterable[str], *columns: str) -> list[str]:
        """What counts of these columns of these volumes."""
        return self.study.given(getattr(self.row(volume), column) for volume in volumes for column in columns)

    def whole(self, wildcards: Any, input: Any) -> Size:
        """The size of a job that goes through the rule's volume."""
        voxels = self.study.sizes.volume(self.row(wildcards.volume))
        return Size(voxels, voxels)

    def cuboids(self, branch: str, halo: tuple[int, int, int] = (0, 0, 0)) -> SizeOf:
        """The size of a job on one shard of the rule's volume, which holds one cuboid at a time.

        Parameters
        ----------
        branch : whose cuboids and shards they are
        halo : voxels that are read around a cuboid on each side
        """
        settings = self.study.config[branch]
        padded = prod(side + 2 * more for side, more in zip(settings["cuboid"], halo)) / 1e6

        def size(wildcards: Any, input: Any) -> Size:
            voxels = self.study.sizes.volume(self.row(wildcards.volume))
            return Size(min(padded, voxels), voxels / settings["shards"])

        return size

    def every(self, volumes: Iterable[str]) -> SizeOf:
        """The size of a job that goes through volumes one after another."""
        rows = [self.row(volume) for volume in volumes]

        def size(wildcards: Any, input: Any) -> Size:
            voxels = [self.study.sizes.volume(row) for row in rows]
            return Size(max(voxels, default=0.0), sum(voxels))

        return size

    def voxels_of(self, volumes: Iterable[str]) -> dict[str, VoxelSize | None]:
        """The size of a voxel by volume, for the parameter `each`."""
        return {volume: self.row(volume).voxel_nm for volume in volumes}

    def rows_of(self, volumes: Iterable[str], *columns: str) -> dict[str, dict[str, Any]]:
        """What columns of the rows say by volume, with the size of a voxel, for the parameter `aside`."""
        return {volume: self.sources(volume, *columns) for volume in volumes}


def per_volume(kind: str, volumes: Iterable[str], path: str) -> dict[str, str]:
    """Named inputs `<kind>/<volume>`: a path in which `{volume}` stands for each of the volumes."""
    return {f"{kind}/{volume}": path.format(volume=volume) for volume in volumes}
