"""The base of every section: no unknown key, every key described, and a number is a number."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Annotated, Any, TypeGuard, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from spinome.io.sources import path_problem
from spinome.names import plain_name, same_files
from spinome.ranges import allowed, shown, wrong_kind

# of a cuboid; a job needs up to 90 bytes a voxel
MOST_VOXELS = 1 << 30
# of the generators of all libraries, with room for what is added to it
LARGEST_SEED = (1 << 31) - 1


class Section(BaseModel):
    """A section of the configuration. A misspelt key is an error, not a default.

    Every number has a lower and an upper limit (a test says so), so that neither a slip of the unit nor a value that
    no computer can work with goes unseen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name is not None
        field = cls.model_fields[info.field_name]
        remark = wrong_kind(value, field.annotation)
        if remark is not None:
            more = f" ({remark})" if remark else ""
            raise ValueError(f"give {allowed(field.annotation, field.metadata)}, not {shown(value)}{more}")
        return value


def is_section(annotation: Any) -> TypeGuard[type[Section]]:
    """Whether a key holds a section itself."""
    return isinstance(annotation, type) and issubclass(annotation, Section)


def nested_section(annotation: Any) -> type[Section] | None:
    """The section that a key holds: itself one, or a mapping from names to one; None for a plain value."""
    for kind in (annotation, *get_args(annotation)):
        if is_section(kind):
            return kind
    return None


def require_order(low: tuple[str, float | None], high: tuple[str, float | None]) -> None:
    """Raise a ValueError where the first of two keys, each with its value, is above the second; None is no limit."""
    if low[1] is not None and high[1] is not None and low[1] > high[1]:
        raise ValueError(f"{low[0]} is {low[1]:g}, which is above {high[0]} with {high[1]:g}; nothing can be both")


def file_with(*suffixes: str) -> Callable[[str], str]:
    """A check that a path ends in one of some suffixes."""

    def check(path: str) -> str:
        if not path.endswith(suffixes):
            raise ValueError(f"is {shown(path)}, where a file of the kind {' or '.join(suffixes)} is needed")
        return path

    return check


def usable_path(path: str) -> str:
    if problem := path_problem(path):
        raise ValueError(f"is {shown(path)}, which {problem}")
    return path


def _plain_folder(folder: str) -> str:
    if "::" in folder or "://" in folder:
        raise ValueError(f"is {shown(folder)}, which is no folder on a disk; give the path of one")
    # so that `results/` and `./results` are `results`
    return os.path.normpath(folder)


def _each_once(names: list[str]) -> list[str]:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"names {twice[0]} {names.count(twice[0])} times; once is enough")
    return names


def _named_files(entries: dict[str, Any]) -> dict[str, Any]:
    for name in entries:
        try:
            plain_name(name)
        except ValueError as error:
            raise ValueError(f"the name {shown(name)}: {error}") from None
    for one, other in same_files(entries):
        raise ValueError(f"the names {one} and {other} differ by case alone, and many disks take them for one")
    return entries


def fits_in_memory(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    if (voxels := math.prod(shape)) > MOST_VOXELS:
        raise ValueError(f"is {voxels:,} voxels in all, where at most {MOST_VOXELS:,} fit into memory; make it smaller")
    return shape


GivenPath = Annotated[str, AfterValidator(usable_path)]
Folder = Annotated[str, AfterValidator(usable_path), AfterValidator(_plain_folder)]
SampleNames = Annotated[list[str], AfterValidator(_each_once)]
NamedFiles = AfterValidator(_named_files)
Voxels = Annotated[int, Field(ge=1, le=4096)]
Cuboid = Annotated[tuple[Voxels, Voxels, Voxels], AfterValidator(fits_in_memory)]
Share = Annotated[float, Field(ge=0, le=1)]
