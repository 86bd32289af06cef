"""Sample sheets: read, validated when the workflow is parsed, every error with file, row and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator


def _plain(name: str) -> str:
    if not all(character.isalnum() or character in "_-+" for character in name):
        raise ValueError("use letters, digits, '_', '-' and '+' alone, since it names files")
    return name


Name = Annotated[str, AfterValidator(_plain)]
PATH_COLUMNS = {
    "path",
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

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)

    def files(self) -> list[str]:
        """The files that the row names, without the name of a data set inside of them."""
        values = [getattr(self, column) for column in type(self).model_fields if column in PATH_COLUMNS]
        return [value.partition("::")[0] for value in values if value]


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
    truth_spines: str | None = None
    truth_dendrites: str | None = None

    @property
    def series(self) -> str:
        """Name of the series of timepoints that the stack belongs to."""
        return f"{self.specimen}.{self.field}"

    @property
    def voxel_um(self) -> tuple[float, float, float] | None:
        return _voxel(self.voxel_z_um, self.voxel_y_um, self.voxel_x_um)


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
        return _voxel(self.voxel_z_nm, self.voxel_y_nm, self.voxel_x_nm)


class Neuron(Row):
    """One neuron's mesh, vertices in nm."""

    neuron: Name
    mesh: str
    synapses: str | None = None
    soma_x_nm: float | None = None
    soma_y_nm: float | None = None
    soma_z_nm: float | None = None
    cell_class: str | None = None
    truth_labels: str | None = None

    @property
    def soma_nm(self) -> tuple[float, float, float] | None:
        """Position of the soma, x y z in nm."""
        values = (self.soma_x_nm, self.soma_y_nm, self.soma_z_nm)
        return None if None in values else values

    @field_validator("soma_x_nm", "soma_y_nm", "soma_z_nm")
    @classmethod
    def _finite(cls, value: float | None) -> float | None:
        if value is not None and abs(value) == float("inf"):
            raise ValueError("must be finite")
        return value


def _voxel(*sizes: float | None) -> tuple[float, float, float] | None:
    given = [size is not None for size in sizes]
    if any(given) and not all(given):
        raise ValueError("give the voxel size along all three axes, or along none")
    return sizes if all(given) else None


RowType = TypeVar("RowType", bound=Row)
IDENTITY = {Stack: ("specimen", "field", "timepoint"), EMVolume: ("volume",), Neuron: ("neuron",)}


def read_sheet(
    sheet: str | Path, row_type: type[RowType], *, produced: Sequence[str] = (), search: Sequence[Path] = ()
) -> list[RowType]:
    """Read a sample sheet and resolve its paths.

    Parameters
    ----------
    sheet : tab-separated file
    row_type : `Stack`, `EMVolume` or `Neuron`
    produced : folders whose files a rule makes; they need not exist yet
    search : folders that a relative path is looked up from after the working directory

    Raises
    ------
    ValueError: one line an error, with file, row (the header is row 1) and column.
    """
    sheet = Path(sheet)
    try:
        frame = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False, comment="#")
    except FileNotFoundError:
        raise ValueError(f"{sheet}: no such sample sheet; see `samples` in the configuration") from None
    except Exception as error:
        raise ValueError(f"{sheet}: cannot be read as a tab-separated table ({error})") from error
    if len(frame.columns) == 1 and "," in frame.columns[0]:
        raise ValueError(f"{sheet}: has one column only; separate the columns by tabs, not by commas")
    rows, errors, seen = [], [], {}
    for number, record in enumerate(frame.to_dict("records"), start=2):
        values: dict[str, Any] = {key: value.strip() for key, value in record.items() if value.strip() != ""}
        try:
            row = row_type.model_validate(values)
            for voxel in ("voxel_um", "voxel_nm"):
                getattr(row, voxel, None)
        except ValidationError as error:
            errors += [f"row {number}, column {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            continue
        except ValueError as error:
            errors.append(f"row {number}, columns voxel_*: {error}")
            continue
        identity = tuple(getattr(row, column) for column in IDENTITY[row_type])
        if identity in seen:
            errors.append(
                f"row {number}, column {', '.join(IDENTITY[row_type])}: {' '.join(identity)} is in row {seen[identity]}"
            )
        seen[identity] = number
        if isinstance(row, EMVolume) and not (row.image or row.segmentation):
            errors.append(f"row {number}, column image: give an image, or a segmentation to work on its shapes alone")
        resolved = {}
        for column in set(values) & PATH_COLUMNS:
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


def _resolve(source: str, produced: Sequence[str], search: Sequence[Path]) -> str:
    path, _, name = source.partition("::")
    for folder in produced:
        if Path(path).is_relative_to(folder):
            return source
    for candidate in [Path(path), *(folder / path for folder in search)]:
        if candidate.exists():
            return f"{candidate}::{name}" if name else str(candidate)
    raise FileNotFoundError(f"{path}: no such file, neither from the working directory nor from the sheet's folder")
