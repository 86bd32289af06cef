"""Sample sheets: read, validated when the workflow is parsed, every error with file, row and column."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from spinome.io.sources import file_of, is_address, split_source


def _plain(name: str) -> str:
    if not all(character.isalnum() or character in "_-+" for character in name):
        raise ValueError("use letters, digits, '_', '-' and '+' alone, since it names files")
    return name


Name = Annotated[str, AfterValidator(_plain)]
# a program that takes a column of names for numbers writes 5.0, which is no name
Number = Annotated[Name, BeforeValidator(lambda value: str(value).removesuffix(".0"))]
PATH_COLUMNS = {
    "path",
    "dendrites",
    "truth_spines",
    "truth_dendrites",
    "image",
    "segmentation",
    "membrane",
    "vesicles",
    "synapses",
    "mask",
    "truth_segmentation",
    "truth_synapses",
    "truth_links",
    "mesh",
    "truth_labels",
}


class Row(BaseModel):
    """A row of a sample sheet."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, allow_inf_nan=False)

    def files(self) -> list[str]:
        """The files that the row names, without the name of a data set inside of them."""
        values = [getattr(self, column) for column in type(self).model_fields if column in PATH_COLUMNS]
        return [file for value in values if (file := file_of(value))]


class Stack(Row):
    """One two-photon stack: one field of a specimen at one timepoint."""

    specimen: Name
    field: Name
    timepoint: Name
    day: float
    path: str
    channel: int | None = Field(None, ge=0)
    voxel_z_um: float | None = Field(None, gt=0)
    voxel_y_um: float | None = Field(None, gt=0)
    voxel_x_um: float | None = Field(None, gt=0)
    dendrites: str | None = None
    truth_spines: str | None = None
    truth_dendrites: str | None = None

    @property
    def series(self) -> str:
        """Name of the series of timepoints that the stack belongs to."""
        return f"{self.specimen}.{self.field}"

    @property
    def voxel_um(self) -> tuple[float, float, float] | None:
        """Size of a voxel, z y x, where the sheet gives it."""
        return _all_or_none(self.voxel_z_um, self.voxel_y_um, self.voxel_x_um)

    @model_validator(mode="after")
    def _check(self):
        _ = self.voxel_um
        return self


class EMVolume(Row):
    """One EM volume."""

    volume: Name
    image: str | None = None
    segmentation: str | None = None
    membrane: str | None = None
    vesicles: str | None = None
    synapses: str | None = None
    mask: str | None = None
    voxel_z_nm: float | None = Field(None, gt=0)
    voxel_y_nm: float | None = Field(None, gt=0)
    voxel_x_nm: float | None = Field(None, gt=0)
    truth_segmentation: str | None = None
    truth_synapses: str | None = None
    truth_links: str | None = None

    @property
    def voxel_nm(self) -> tuple[float, float, float] | None:
        """Size of a voxel, z y x, where the sheet gives it."""
        return _all_or_none(self.voxel_z_nm, self.voxel_y_nm, self.voxel_x_nm)

    @model_validator(mode="after")
    def _check(self):
        _ = self.voxel_nm
        if not (self.image or self.segmentation):
            raise ValueError("column image: give an image, or a segmentation to work on its shapes alone")
        return self


BroadClass = Literal["excitatory", "inhibitory"]


class Neuron(Row):
    """One neuron's mesh, vertices in nm; a name that is a number is its root id where the sheet gives no other."""

    neuron: Name
    mesh: str
    root_id: int | None = Field(None, gt=0, lt=1 << 63)
    synapses: str | None = None
    synapse_voxel_x_nm: float | None = Field(None, gt=0)
    synapse_voxel_y_nm: float | None = Field(None, gt=0)
    synapse_voxel_z_nm: float | None = Field(None, gt=0)
    soma_x_nm: float | None = None
    soma_y_nm: float | None = None
    soma_z_nm: float | None = None
    cell_class: str | None = None
    broad_class: BroadClass | None = None
    truth_labels: str | None = None
    truth_weight: float = Field(1.0, gt=0)

    @property
    def synapse_voxel_nm(self) -> tuple[float, float, float] | None:
        """Size x y z of the voxels that positions of synapses count, None where they are in nm."""
        return _all_or_none(self.synapse_voxel_x_nm, self.synapse_voxel_y_nm, self.synapse_voxel_z_nm)

    @property
    def soma_nm(self) -> tuple[float, float, float] | None:
        """Position of the soma, x y z in nm."""
        return _all_or_none(self.soma_x_nm, self.soma_y_nm, self.soma_z_nm)

    @property
    def classes(self) -> list[str]:
        """The class of the cell and the broad one, where they are given, each once."""
        return _each_once(self.cell_class, self.broad_class)

    @model_validator(mode="before")
    @classmethod
    def _take_root_from_name(cls, values):
        name = str(values.get("neuron", ""))
        if values.get("root_id") is None and name.isdecimal() and len(name) < 20 and 0 < int(name) < 1 << 63:
            return {**values, "root_id": int(name)}
        return values

    @model_validator(mode="after")
    def _check(self):
        _ = self.soma_nm, self.synapse_voxel_nm
        if is_address(self.mesh) and not self.mesh.rpartition("::")[2].isdecimal():
            raise ValueError(f"column mesh: {self.mesh} is an address of many meshes; write {self.mesh}::ID")
        return self


class Cell(Row):
    """A cell of known class, with or without a mesh, by its root id in the tables of synapses."""

    root_id: int = Field(gt=0, lt=1 << 63)
    cell_class: str
    broad_class: BroadClass | None = None

    @property
    def classes(self) -> list[str]:
        """The class of the cell and the broad one, where it is given, each once."""
        return _each_once(self.cell_class, self.broad_class)


class Correction(Row):
    """What a person says of one spine, or of two spines of a series, named by timepoint and place."""

    specimen: Name
    field: Name
    decision: Literal["same", "different", "no spine", "missed spine"] | None = None
    timepoint: Number
    z_um: float
    y_um: float
    x_um: float
    next_timepoint: Number | None = None
    next_z_um: float | None = None
    next_y_um: float | None = None
    next_x_um: float | None = None
    spine: int | None = None
    probability: float | None = None
    question: str | None = None

    @model_validator(mode="after")
    def _check(self):
        other = (self.next_timepoint, self.next_z_um, self.next_y_um, self.next_x_um)
        if self.decision in ("same", "different") and None in other:
            raise ValueError(f"column decision: '{self.decision}' is said of two spines; fill in all next_* columns")
        if self.decision in ("no spine", "missed spine") and any(value is not None for value in other):
            raise ValueError(f"column decision: '{self.decision}' is said of one spine; leave the next_* columns empty")
        return self


def _each_once(*names: str | None) -> list[str]:
    return list(dict.fromkeys(name for name in names if name))


def _all_or_none(*values: float | None) -> tuple[float, ...] | None:
    if None not in values:
        return values
    if any(value is not None for value in values):
        raise ValueError("columns *voxel_* or soma_*: give the value along all three axes, or along none")
    return None


RowType = TypeVar("RowType", bound=Row)
SHEETS = {"stacks": Stack, "volumes": EMVolume, "neurons": Neuron, "cells": Cell}
IDENTITY = {
    Stack: ("specimen", "field", "timepoint"),
    EMVolume: ("volume",),
    Neuron: ("neuron",),
    Cell: ("root_id",),
    Correction: tuple(
        name for name in Correction.model_fields if name not in ("decision", "spine", "probability", "question")
    ),
}


def read_sheet(
    sheet: str | Path, row_type: type[RowType], *, produced: Sequence[str] = (), search: Sequence[Path] = ()
) -> list[RowType]:
    """Read a sample sheet and resolve its paths.

    Parameters
    ----------
    sheet : tab-separated file
    row_type : `Stack`, `EMVolume`, `Neuron` or `Cell`
    produced : folders whose files a rule makes; they need not exist yet
    search : folders that a relative path is looked up from after the working directory

    Raises
    ------
    ValueError: one line an error, with file, row (the line in the file) and column.
    """
    sheet = Path(sheet)
    header, records = _read_cells(sheet)
    errors = [f"header, {problem}" for problem in _header_problems(header, row_type)]
    rows, seen = [], {}
    for number, cells in records if not errors else []:
        if len(cells) > len(header):
            errors.append(f"row {number}: has {len(cells)} cells, the header has {len(header)} columns")
            continue
        values = {column: cell.strip() for column, cell in zip(header, cells) if cell.strip()}
        try:
            row = row_type.model_validate(values)
        except ValidationError as error:
            errors += [f"row {number}, {_explain(item)}" for item in error.errors()]
            continue
        identity = tuple(str(getattr(row, column)) for column in IDENTITY[row_type])
        if identity in seen:
            errors.append(
                f"row {number}, column {', '.join(IDENTITY[row_type])}: {' '.join(identity)} is in row {seen[identity]}"
            )
        seen.setdefault(identity, number)
        resolved = {}
        for column in sorted(set(values) & PATH_COLUMNS):
            if is_address(values[column]) and column != "mesh" and row_type is not EMVolume:
                errors.append(f"row {number}, column {column}: only meshes and volumes are read from an address")
                continue
            if is_address(values[column]):
                continue
            try:
                resolved[column] = _resolve(values[column], produced, [*search, sheet.parent])
            except FileNotFoundError as error:
                errors.append(f"row {number}, column {column}: {error}")
        rows.append(row.model_copy(update=resolved))
    if errors:
        raise ValueError(f"{sheet}: " + f"\n{sheet}: ".join(errors))
    if not rows:
        raise ValueError(f"{sheet}: has no row; leave the sheet out of `samples` if there is nothing of its kind")
    return rows


def read_corrections(sheet: str | Path, stacks: Sequence[Stack]) -> list[Correction]:
    """Read a table of corrections of two-photon series; rows whose decision is empty are left out.

    Raises
    ------
    ValueError: as `read_sheet`, and where a row names a session that the sheet of stacks has not, or two sessions
        that do not follow each other.
    """
    rows = [row for row in read_sheet(sheet, Correction) if row.decision]
    day = {(stack.specimen, stack.field, stack.timepoint): stack.day for stack in stacks}
    errors = []
    for row in rows:
        named = [(row.specimen, row.field, name) for name in (row.timepoint, row.next_timepoint) if name is not None]
        errors += [f"names {'.'.join(key)}, which is no row of the sheet of stacks" for key in named if key not in day]
        if len(named) == 2 and set(named) <= set(day) and day[named[0]] >= day[named[1]]:
            errors.append(f"next_timepoint {row.next_timepoint} is not later than timepoint {row.timepoint}")
    if errors:
        raise ValueError(f"{sheet}: " + f"\n{sheet}: ".join(dict.fromkeys(errors)))
    return rows


def series_problems(stacks: Sequence[Stack]) -> list[str]:
    """What is wrong between the sessions of a series: two of one day, whose order nobody knows, or of one file."""
    problems, days, files = [], {}, {}
    for row in stacks:
        day, file = (row.series, row.day), (row.series, row.path, row.channel)
        if day in days:
            problems.append(
                f"{row.series}: timepoints {days[day]} and {row.timepoint} are both of day {row.day:g}; give each its "
                f"own, such as {row.day + 0.1:g}"
            )
        if file in files:
            problems.append(
                f"{row.series}: timepoints {files[file]} and {row.timepoint} name one file, {row.path}; a session is "
                "there twice"
            )
        days.setdefault(day, row.timepoint)
        files.setdefault(file, row.timepoint)
    return problems


def _read_cells(sheet: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header and the rows with their line numbers; blank lines and lines that begin with # are passed over."""
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark in front
        lines = sheet.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise ValueError(
            f"{sheet}: no such sample sheet, looked up from {Path.cwd()}; see `samples` in the configuration"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{sheet}: cannot be read as a tab-separated table ({error})") from error
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not numbered:
        raise ValueError(f"{sheet}: is empty; leave the sheet out of `samples` if there is nothing of its kind")
    cells = [(number, next(csv.reader([line], delimiter="\t"))) for number, line in numbered]
    header = [column.strip() for column in cells[0][1]]
    if len(header) == 1 and "," in header[0]:
        raise ValueError(f"{sheet}: has one column only; separate the columns by tabs, not by commas")
    return header, cells[1:]


def _header_problems(header: list[str], row_type: type[Row]) -> list[str]:
    known = row_type.model_fields
    problems = []
    for column in header:
        if header.count(column) > 1:
            problems.append(f"column {column}: is there {header.count(column)} times")
        elif column not in known:
            close = difflib.get_close_matches(column, known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            problems.append(f"column {column}: no such column; {hint}")
    missing = [name for name, field in known.items() if field.is_required() and name not in header]
    return [*dict.fromkeys(problems), *(f"column {column}: is missing" for column in missing)]


def _explain(item: dict) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    column = item["loc"][0]
    return (
        f"column {column}: is empty"
        if item["type"] == "missing"
        else f"column {column}: {message}, not {item['input']!r}"
    )


def _resolve(source: str, produced: Sequence[str], search: Sequence[Path]) -> str:
    path, name = split_source(source)
    for folder in produced:
        if path.is_relative_to(folder):
            return source
    for candidate in [path, *(folder / path for folder in search)]:
        if candidate.exists():
            return f"{candidate}::{name}" if name else str(candidate)
    raise FileNotFoundError(f"{path}: no such file, neither from the working directory nor from the sheet's folder")
