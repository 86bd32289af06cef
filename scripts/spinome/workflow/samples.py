"""SampleRow sheets: read, validated when the workflow is parsed, every error with file, row and column."""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self, TypedDict, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo

from spinome.io.sources import is_address, path_problem, split_source
from spinome.names import LONGEST, VOLUME, bytes_in_file_names, plain_name, same_files
from spinome.ranges import allowed, first_lines, shown

Name = Annotated[str, AfterValidator(plain_name)]


# more channels than these are no channels of a microscope
MOST_CHANNELS = 999


def _channel(cell: int | str) -> int | str:
    """A channel as the sheet names it: a number counts from 0, anything else is what the microscope calls it."""
    try:
        number = float(cell)
    except ValueError:
        return str(cell)
    if not (number.is_integer() and 0 <= number <= MOST_CHANNELS):
        raise ValueError(f"numbers of channels count from 0 to {MOST_CHANNELS}")
    return int(number)


Channel = Annotated[int | str, BeforeValidator(_channel)]
# a program that takes a column of names for numbers writes 5.0, which is no name
Number = Annotated[Name, BeforeValidator(lambda value: str(value).removesuffix(".0"))]
# what a voxel of a light microscope and of an electron microscope may measure; beyond, the unit is another one
VOXEL_UM, VOXEL_NM = (0.005, 50.0), (0.5, 5000.0)
VoxelUm = Annotated[float, Field(ge=VOXEL_UM[0], le=VOXEL_UM[1])]
VoxelNm = Annotated[float, Field(ge=VOXEL_NM[0], le=VOXEL_NM[1])]
# a day may also be the number of a date, as spreadsheets count them
Day = Annotated[float, Field(ge=-100_000, le=100_000)]
PositionNm = Annotated[float, Field(ge=-1e9, le=1e9)]
PositionUm = Annotated[float, Field(ge=-1e6, le=1e6)]
# what the tables of results call the neurons of the sheet, and the shards of those that come from a volume
SHEET = "sheet"
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
    "truth_types",
    "mesh",
    "truth_labels",
}


STRICT = ConfigDict(extra="forbid", coerce_numbers_to_str=True, allow_inf_nan=False)
NO_DESIGN: Mapping[str, str] = MappingProxyType({})


class Row:
    """A row of a sample sheet.

    Every job reads the sheets anew, and one may have very many rows: rows have slots, and no dictionaries of their own.
    """

    __slots__ = ("_design", "_line")

    def files(self) -> list[str]:
        """The files that the row names, without the name of a data set inside of them."""
        values = [getattr(self, column) for column in _path_columns(type(self))]  # type: ignore[arg-type]
        return [file for value in values if value and not is_address(value) and (file := value.partition("::")[0])]

    def with_files(self, files: Mapping[str, str | None]) -> Self:
        """The row with other files in these columns; itself where they are the same."""
        if all(getattr(self, name) == files[name] for name in files):
            return self
        # not by `dataclasses.replace`, which would validate the whole row again
        other = object.__new__(type(self))
        for name in columns_of(type(self)):
            object.__setattr__(other, name, files[name] if name in files else getattr(self, name))
        other.at(self.line, self.design)
        return other

    @property
    def line(self) -> int:
        """Line of the row in its sheet."""
        return getattr(self, "_line", 0)

    @property
    def design(self) -> Mapping[str, str]:
        """Text of the columns that the configuration names under `design`; empty cells are not there."""
        return getattr(self, "_design", NO_DESIGN)

    def at(self, line: int, design: Mapping[str, str]) -> None:
        """Say where a row that has just been read stands, and what it says of the design."""
        object.__setattr__(self, "_line", line)
        object.__setattr__(self, "_design", design or NO_DESIGN)


@cache
def _path_columns(row_type: type[Row]) -> tuple[str, ...]:
    return tuple(column for column in columns_of(row_type) if column in PATH_COLUMNS)


def columns_of(row_type: type[Row]) -> Mapping[str, FieldInfo]:
    """The columns of a kind of sheet, and what a cell of each may hold."""
    return row_type.__pydantic_fields__  # type: ignore[attr-defined]


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class SampleRow(Row):
    """A row of a sheet that names inputs, with what it says of the design of the study."""

    animal: str | None = None


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class StackRow(SampleRow):
    """One two-photon stack: one field of a specimen at one timepoint."""

    specimen: Name
    field: Name
    timepoint: Name
    day: Day
    path: str
    channel: Channel | None = None
    voxel_z_um: VoxelUm | None = None
    voxel_y_um: VoxelUm | None = None
    voxel_x_um: VoxelUm | None = None
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
        if (length := bytes_in_file_names(f"{self.series}.{self.timepoint}")) > LONGEST:
            raise ValueError(
                f"columns specimen, field and timepoint: are {length} bytes together as part of a file name, at most "
                f"{LONGEST} fit; use shorter names"
            )
        return self


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class VolumeRow(SampleRow):
    """One EM volume."""

    volume: Name
    image: str | None = None
    segmentation: str | None = None
    membrane: str | None = None
    vesicles: str | None = None
    synapses: str | None = None
    mask: str | None = None
    voxel_z_nm: VoxelNm | None = None
    voxel_y_nm: VoxelNm | None = None
    voxel_x_nm: VoxelNm | None = None
    truth_segmentation: str | None = None
    truth_synapses: str | None = None
    truth_links: str | None = None
    truth_types: str | None = None
    cut_from: Name | None = None

    @property
    def voxel_nm(self) -> tuple[float, float, float] | None:
        """Size of a voxel, z y x, where the sheet gives it."""
        return _all_or_none(self.voxel_z_nm, self.voxel_y_nm, self.voxel_x_nm)

    @property
    def tissue(self) -> str:
        """Volumes of one name here show the same segments: those that were cut from one volume, or a volume alone."""
        return self.cut_from or self.volume

    @model_validator(mode="after")
    def _check(self):
        _ = self.voxel_nm
        if self.volume.lower() == SHEET:
            raise ValueError(
                f"column volume: '{SHEET}' stands for the sheet of neurons in the results; use another name"
            )
        if not (self.image or self.segmentation):
            raise ValueError("column image: give an image, or a segmentation to work on its shapes alone")
        for column in ("segmentation", "membrane", "synapses", "mask", "truth_segmentation", "truth_synapses"):
            if self.image and getattr(self, column) == self.image:
                raise ValueError(f"column {column}: names the same data as column image, {self.image}; correct one")
        return self


BroadClass = Literal["excitatory", "inhibitory"]


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class NeuronRow(SampleRow):
    """One neuron's mesh, vertices in nm; a name that is a number is its root id where the sheet gives no other."""

    neuron: Name
    mesh: str
    root_id: int | None = Field(None, gt=0, lt=1 << 63)
    synapses: str | None = None
    synapse_voxel_x_nm: VoxelNm | None = None
    synapse_voxel_y_nm: VoxelNm | None = None
    synapse_voxel_z_nm: VoxelNm | None = None
    soma_x_nm: PositionNm | None = None
    soma_y_nm: PositionNm | None = None
    soma_z_nm: PositionNm | None = None
    cell_class: str | None = None
    broad_class: BroadClass | None = None
    truth_labels: str | None = None
    truth_weight: float = Field(1.0, ge=0.001, le=1000)

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

    @model_validator(mode="after")
    def _check(self):
        _ = self.soma_nm, self.synapse_voxel_nm
        name = self.neuron
        if self.root_id is None and name.isdecimal() and len(name) < 20 and 0 < int(name) < 1 << 63:
            object.__setattr__(self, "root_id", int(name))
        if self.neuron.lower().startswith(VOLUME):
            raise ValueError(
                f"column neuron: names that begin with '{VOLUME}' are those of neurons made from a volume; use "
                "another name"
            )
        if is_address(self.mesh) and not self.mesh.rpartition("::")[2].isdecimal():
            raise ValueError(f"column mesh: {self.mesh} is an address of many meshes; write {self.mesh}::ID")
        return self


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class CellRow(SampleRow):
    """A cell of known class, with or without a mesh, by its root id in the tables of synapses."""

    root_id: int = Field(ge=1, lt=1 << 63)
    cell_class: str
    broad_class: BroadClass | None = None

    @property
    def classes(self) -> list[str]:
        """The class of the cell and the broad one, where it is given, each once."""
        return _each_once(self.cell_class, self.broad_class)


@dataclass(config=STRICT, frozen=True, slots=True, kw_only=True)
class Correction(Row):
    """What a person says of one spine, or of two spines of a series, named by timepoint and place."""

    specimen: Name
    field: Name
    decision: Literal["same", "different", "no spine", "missed spine"] | None = None
    timepoint: Number
    z_um: PositionUm
    y_um: PositionUm
    x_um: PositionUm
    next_timepoint: Number | None = None
    next_z_um: PositionUm | None = None
    next_y_um: PositionUm | None = None
    next_x_um: PositionUm | None = None
    spine: int | None = Field(None, ge=-1, lt=1 << 63)
    probability: float | None = Field(None, ge=0, le=1)
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


def _all_or_none(first: float | None, second: float | None, third: float | None) -> tuple[float, float, float] | None:
    if first is second is third is None:
        return None
    if first is not None and second is not None and third is not None:
        return first, second, third
    raise ValueError("columns *voxel_* or soma_*: give the value along all three axes, or along none")


RowType = TypeVar("RowType", bound=Row)
SHEETS: dict[str, type[SampleRow]] = {"stacks": StackRow, "volumes": VolumeRow, "neurons": NeuronRow, "cells": CellRow}


class Sheets(TypedDict):
    """The rows of each kind of `SHEETS`."""

    stacks: list[StackRow]
    volumes: list[VolumeRow]
    neurons: list[NeuronRow]
    cells: list[CellRow]


IDENTITY = {
    StackRow: ("specimen", "field", "timepoint"),
    VolumeRow: ("volume",),
    NeuronRow: ("neuron",),
    CellRow: ("root_id",),
    Correction: tuple(
        name for name in columns_of(Correction) if name not in ("decision", "spine", "probability", "question")
    ),
}


def read_sheet(
    sheet: str | Path,
    row_type: type[RowType],
    *,
    produced: Sequence[str] = (),
    search: Sequence[Path] = (),
    design: Collection[str] = (),
) -> list[RowType]:
    """Read a sample sheet and resolve its paths.

    Parameters
    ----------
    sheet : tab-separated file
    row_type : `StackRow`, `VolumeRow`, `NeuronRow` or `CellRow`
    produced : folders whose files a rule makes; they need not exist yet
    search : folders that a relative path is looked up from after the working directory
    design : names of factors and covariates, which the sheet may have as columns

    Raises
    ------
    ValueError: one line per error, with file, row (the line in the file) and column.
    """
    sheet = Path(sheet)
    header, records = _read_cells(sheet)
    columns, validate = columns_of(row_type), TypeAdapter(row_type).validate_python
    paths = [column for column in sorted(PATH_COLUMNS) if column in header]
    errors = [f"header, {problem}" for problem in _header_problems(header, row_type, design)]
    rows: list[RowType] = []
    lines: dict[tuple[str, ...], int] = {}
    # many rows may name the same table
    resolve = cache(lambda source: _resolve(source, produced, [*search, sheet.parent]))
    for number, cells in records if not errors else []:
        if len(cells) > len(header):
            errors.append(f"row {number}: has {len(cells)} cells, the header has {len(header)} columns")
            continue
        values = {column: text for column, cell in zip(header, cells) if (text := cell.strip())}
        of_design = {column: values.pop(column) for column in list(values) if column not in columns}
        problems = [
            f"column {column}: {found}"
            for column, text in (values | of_design).items()
            if (found := _cell_problem(column, text))
        ]
        try:
            row = validate(values)
        except ValidationError as error:
            problems += [_explain(item, row_type) for item in error.errors()]
        if problems:
            errors += [f"row {number}, {problem}" for problem in dict.fromkeys(problems)]
            continue
        row.at(number, of_design)
        identity = tuple(str(getattr(row, column)) for column in IDENTITY[row_type])
        if identity in lines:
            named = ", ".join(IDENTITY[row_type])
            errors.append(f"row {number}, column {named}: {' '.join(identity)} is in row {lines[identity]}")
        lines.setdefault(identity, number)
        resolved = {}
        for column in paths:
            source = values.get(column)
            if source is None or (is_address(source) and (column == "mesh" or row_type is VolumeRow)):
                continue
            if is_address(source):
                errors.append(f"row {number}, column {column}: only meshes and volumes are read from an address")
                continue
            try:
                resolved[column] = resolve(source)
            except FileNotFoundError as error:
                errors.append(f"row {number}, column {column}: {error}")
        rows.append(row.with_files(resolved))
    if row_type is not Correction:
        errors += _look_alikes(lines, IDENTITY[row_type])
    if errors:
        raise ValueError("\n".join(f"{sheet}: {error}" for error in first_lines(errors)))
    if not rows:
        raise ValueError(f"{sheet}: has no row; leave the sheet out of `samples` if there is nothing of its kind")
    return rows


def read_sheets(
    sheets: Mapping[str, str | None],
    produced: Sequence[str],
    search: Sequence[Path] = (),
    design: Collection[str] = (),
) -> Sheets:
    """Read the sample sheets of a configuration, the errors of all of them together.

    Parameters
    ----------
    sheets : path of each kind of `SHEETS`, None where there is none of it
    produced, design : as for `read_sheet`
    search : folders that a relative path of a sheet is looked up from after the working directory

    Returns
    -------
    rows of each kind of `SHEETS`, none where it has no sheet
    """
    rows: dict[str, list[SampleRow]] = {kind: [] for kind in SHEETS}
    errors = []
    for kind, row_type in SHEETS.items():
        if not (sheet := sheets[kind]):
            continue
        try:
            rows[kind] = read_sheet(find_sheet(sheet, search), row_type, produced=produced, design=design)
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError("\n".join(errors))
    return cast(Sheets, rows)


def find_sheet(sheet: str, search: Sequence[Path]) -> str:
    """The path of a sheet: as it stands, or below the first of the folders that has it."""
    places = [sheet, *(str(folder / sheet) for folder in search)]
    # `Path.exists` raises an error where a name is too long
    return next((place for place in places if os.path.exists(place)), sheet)  # noqa: PTH110


def read_corrections(sheet: str | Path, stacks: Sequence[StackRow]) -> list[Correction]:
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
        raise ValueError("\n".join(f"{sheet}: {error}" for error in first_lines(list(dict.fromkeys(errors)))))
    return rows


def series_problems(stacks: Sequence[StackRow]) -> list[str]:
    """What is wrong between the sessions of a series: two of one day, whose order nobody knows, or of one file."""
    problems: list[str] = []
    days: dict[tuple[str, float], str] = {}
    files: dict[tuple[str, str, int | str | None], str] = {}
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


def _read_cells(sheet: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header and the rows with their line numbers; blank lines and lines that begin with # are passed over."""
    try:
        # utf-8-sig: spreadsheet programs put a byte order mark in front
        text = sheet.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ValueError(
            f"{sheet}: no such sample sheet, looked up from {Path.cwd()}; see `samples` in the configuration"
        ) from None
    except IsADirectoryError:
        raise ValueError(f"{sheet}: is a folder, where a sample sheet is needed; name the file in it") from None
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{sheet}: cannot be read as text in UTF-8 ({error.reason} at byte {error.start}); export the sheet as "
            "text, separated by tabs, in UTF-8"
        ) from error
    except OSError as error:
        raise ValueError(f"{sheet}: cannot be read ({error.strerror or error})") from error
    # not `splitlines`, which also splits where Unicode has a line or a page end of its own
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#"))
    # one after another, since of very many the cells of all would take more memory than the rows
    cells = ((number, _split(sheet, number, line)) for number, line in numbered)
    first = next(cells, None)
    if first is None:
        raise ValueError(f"{sheet}: is empty; leave the sheet out of `samples` if there is nothing of its kind")
    header = [column.strip() for column in first[1]]
    if len(header) == 1 and (other := next((mark for mark in (",", ";", " ") if mark in header[0]), None)):
        name = {",": "commas", ";": "semicolons", " ": "spaces"}[other]
        raise ValueError(f"{sheet}: has one column only; separate the columns by tabs, not by {name}")
    return header, cells


def _split(sheet: Path, number: int, line: str) -> list[str]:
    """The cells of a line; empty ones at its end, which spreadsheet programs write, are left out."""
    # of very many rows, to set up a reader for each takes half as long again as all else
    plain = '"' not in line and len(line) < csv.field_size_limit()
    try:
        cells = line.split("\t") if plain else next(csv.reader([line], delimiter="\t", strict=True))
    except csv.Error as error:
        raise ValueError(
            f"{sheet}: row {number}: cannot be split into cells ({error}); is a quotation mark opened and not closed?"
        ) from None
    while cells and not cells[-1].strip():
        cells.pop()
    return cells


def _header_problems(header: list[str], row_type: type[Row], design: Collection[str]) -> list[str]:
    known = columns_of(row_type)
    named = [*known, *(name for name in design if name not in known)]
    problems = []
    for place, column in enumerate(header, 1):
        if not column:
            problems.append(f"column {place}: has no name")
        elif header.count(column) > 1:
            problems.append(f"column {column}: is there {header.count(column)} times")
        elif column not in named:
            close = difflib.get_close_matches(column, named, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(named)}"
            problems.append(f"column {shown(column)[1:-1]}: no such column; {hint}{_how_to_name(row_type)}")
    missing = [name for name, field in known.items() if field.is_required() and name not in header]
    return [*dict.fromkeys(problems), *(f"column {column}: is missing" for column in missing)]


def _how_to_name(row_type: type[Row]) -> str:
    """How a column becomes one that a sheet may have."""
    if not issubclass(row_type, SampleRow):
        return ""
    return " (a factor or a covariate of the study is named under design.factors or design.covariates)"


def _cell_problem(column: str, text: str) -> str | None:
    """What is wrong with the text of a cell, whatever it means; None where nothing is."""
    if column in PATH_COLUMNS and not is_address(text):
        problem = path_problem(text)
        return problem and f"{shown(text)} {problem}"
    if not text.isprintable():
        return f"{shown(text)} has a character that cannot be seen, such as a tab or a line break; take it out"
    return None


def _explain(item: Mapping[str, Any], row_type: type[Row]) -> str:
    """What pydantic found in a row, with the column and what it may hold."""
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return message
    column, value = item["loc"][0], shown(item["input"])
    if item["type"] == "missing":
        return f"column {column}: is empty"
    if item["input"] == "?":
        return f"column {column}: is an open question; write what is true, or empty the cell where it is optional"
    if item["type"] == "value_error":
        return (
            f"column {column}: {value} {message}"
            if message.startswith("is ")
            else f"column {column}: {message}, not {value}"
        )
    field = columns_of(row_type)[column]
    return f"column {column}: give {allowed(field.annotation, field.metadata).removesuffix(' or nothing')}, not {value}"


def _look_alikes(lines: dict[tuple[str, ...], int], columns: Sequence[str]) -> list[str]:
    """Rows whose names differ by case alone, as do the files that are named after them."""
    problems: dict[int, str] = {}
    for count in range(1, len(columns) + 1):
        joined = {".".join(identity[:count]): number for identity, number in reversed(lines.items())}
        for one, other in same_files(dict.fromkeys(".".join(identity[:count]) for identity in lines)):
            place = f"row {joined[other]}, column {', '.join(columns[:count])}"
            problems.setdefault(
                joined[other],
                f"{place}: {other} and {one} of row {joined[one]} differ by case alone, and many disks take them for "
                "one; use other names",
            )
    return list(problems.values())


def _resolve(source: str, produced: Sequence[str], search: Sequence[Path]) -> str:
    if is_produced(source, produced):
        return source
    path, name = split_source(source)
    for candidate in [path, *(folder / path for folder in search)]:
        if os.path.exists(candidate):  # noqa: PTH110, see `find_sheet`
            return f"{candidate}::{name}" if name else str(candidate)
    raise FileNotFoundError(f"{path}: no such file, neither from the working directory nor from the sheet's folder")


def is_produced(source: str, produced: Sequence[str]) -> bool:
    """Whether a source lies in a folder whose files a rule makes, so that it need not exist yet."""
    path = os.path.normpath(source.partition("::")[0])
    return any(f"{path}/".startswith(f"{os.path.normpath(folder)}/") for folder in produced)
