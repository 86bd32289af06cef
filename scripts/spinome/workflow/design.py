"""The design of a study, from the columns of the sample sheets that the configuration names."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from spinome.names import NO_TEXT
from spinome.ranges import first_lines, shown
from spinome.workflow.samples import SHEETS, CellRow, NeuronRow, SampleRow, StackRow, VolumeRow, columns_of

# columns of the tables that a design is carried to (a test compares them): a factor of such a name would be another one
TABLE_COLUMNS = """
spine source sheet specimen parent z_um y_um x_um volume_um3 head_diameter_um neck_length_um synapses synapse_ids
partners multi_input probability track timepoint day field score candidate z_slice side_um first_slice last_slice
slices corrected given head_volume_um3 head_volume_sd_um3 intensity_ratio_um2 dendrite_distance_um dendrite base_y_um
base_x_um saturated shaft_saturated fitted signal_to_noise low_signal size_at_bound shape shape_probability along_um
fate origin next_timepoint distance_um support length_um spines density_per_um density_low density_high usable
correlation z_turned note decision next_z_um next_y_um next_x_um applied reason days next_spines stable gained
recurrent lost out_of_field off_dendrite turnover_ratio turnover_low turnover_high recall lost_missed gained_missed
seen_probability lost_probability gained_probability corrected_ratio corrected_low corrected_high dendrites
interval_over at_risk survival survival_low survival_high formed formation formation_low formation_high median_log2
median_low median_high spread_log2 spread_low spread_high slope slope_low slope_high volume synapse voxels sections
max_score value z0 z1 y0 y1 x0 x1 block unmasked_um3 density_um3 known z_nm y_nm x_nm neuron area_um2 head_diameter_nm
neck_length_nm neck_diameter_nm length_nm base_z_nm base_y_nm base_x_nm vertices with_synapses on_soma on_shaft on_spine
unlabelled unlikeness id tag p_soma p_shaft
p_spine distance_nm size pre_pt_root_id post_pt_root_id pre_pt_position_x pre_pt_position_y pre_pt_position_z
post_pt_position_x post_pt_position_y post_pt_position_z row side cell cell_class broad_class partner_class measure
part whole
"""
ANIMAL = "animal"


@dataclass(frozen=True)
class Design:
    """What the sheets say of the design of a study.

    Attributes
    ----------
    columns : kind of each column, `string` or `number`, in the order in which tables have them; none without a design
    samples : by sheet and by name of the sample what is known of it, by column
    remarks : what is not given, a line each
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)
    remarks: Sequence[str] = ()

    def of(self, *sheets: str) -> dict[str, Any]:
        """What a rule is told of the samples of these sheets, for `spinome.design.with_design`."""
        own = {
            f"{sheet}/{name}": dict(values) for sheet in sheets for name, values in self.samples.get(sheet, {}).items()
        }
        return {"columns": dict(self.columns), "samples": own}


@dataclass(frozen=True)
class _Place:
    """A row of a sheet, with what it says of the design: read of it once, since there may be many thousands."""

    sheet: str
    file: str
    row: SampleRow
    line: int
    animal: str | None
    design: Mapping[str, str]

    def __str__(self):
        return f"{self.file}: row {self.line}"


def read_design(
    config: Mapping[str, Any], files: Mapping[str, str | None], rows: Mapping[str, Sequence[SampleRow]]
) -> Design:
    """The design of a study, checked.

    Parameters
    ----------
    config : the section `design`
    files : the sample sheets by kind
    rows : their rows

    Raises
    ------
    ValueError: one line a problem, with file, row and column, or with the key
    """
    named = config["factors"] or config["covariates"]
    if not (named or any(row.animal for sheet in SHEETS for row in rows[sheet])):
        return Design()
    places = [
        _Place(sheet, files[sheet] or "", row, row.line, row.animal, row.design)
        for sheet in SHEETS
        for row in rows[sheet]
    ]
    factors, covariates, within = config["factors"], config["covariates"], set(config["within_animal"])
    problems = [*_name_problems(config, places)]
    if not problems:
        problems = [
            *(line for place in places for line in _row_problems(place, covariates)),
            *(line for name in (ANIMAL, *factors) for line in _level_problems(name, places)),
            *(line for name in factors for line in _count_problems(name, places)),
            *_animal_problems(places),
            *(line for name in factors if name not in within for line in _within_problems(name, places)),
        ]
    if problems:
        raise ValueError("\n".join(first_lines(list(dict.fromkeys(problems)))))
    samples: dict[str, dict[str, dict[str, Any]]] = {sheet: {} for sheet in SHEETS}
    said = {name: _said_of_animals(name, places) for name in factors if name not in within}
    for place in places:
        if place.animal:
            samples[place.sheet][sample_name(place.row)] = _values(place, factors, covariates, said)
    columns = dict.fromkeys([ANIMAL, *factors], "string") | dict.fromkeys(covariates, "number")
    return Design(columns, samples, [*_remarks(files, rows, samples, [*factors, *covariates])])


def sample_name(row: SampleRow) -> str:
    """How the tables of results name a sample: `specimen.field.timepoint`, a volume, a neuron or a root id."""
    match row:
        case StackRow():
            return f"{row.series}.{row.timepoint}"
        case VolumeRow():
            return row.volume
        case NeuronRow():
            return row.neuron
        case CellRow():
            return str(row.root_id)
    raise TypeError(f"{row!r} is no sample")


def _values(
    place: _Place, factors: Sequence[str], covariates: Sequence[str], said: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """What is known of a sample; a factor that cannot change within an animal may be said once of each animal."""
    values: dict[str, Any] = {ANIMAL: place.animal}
    for name in factors:
        if level := place.design.get(name) or said.get(name, {}).get(place.animal or ""):
            values[name] = level
    return values | {name: float(place.design[name]) for name in covariates if name in place.design}


def _said_of_animals(name: str, places: Sequence[_Place]) -> dict[str, str]:
    """The level of each animal, from whichever row has it."""
    return {place.animal: place.design[name] for place in places if place.animal and name in place.design}


def _name_problems(config: Mapping[str, Any], places: Sequence[_Place]) -> Iterator[str]:
    """Names that a column of results or of a sheet has already, or that no row fills."""
    known = {column for kind in SHEETS.values() for column in columns_of(kind)}
    filled = {column for place in places for column in place.design}
    for key in ("factors", "covariates"):
        for name in config[key]:
            if name in known:
                yield f"design.{key}: names {name}, which is a column of the sheets already; choose another name"
            elif name in TABLE_COLUMNS.split():
                yield f"design.{key}: names {name}, which is a column of the tables of results; choose another name"
            elif name not in filled:
                yield (
                    f"design.{key}: names {name}, which no row of a sample sheet has; add the column and fill it, or "
                    "take the name out"
                )


def _row_problems(place: _Place, covariates: Sequence[str]) -> Iterator[str]:
    if place.design and not place.animal:
        name = next(iter(place.design))
        yield f"{place}, column animal: is empty, and {name} is given; name the animal"
    for name in covariates:
        if name in place.design and not _is_number(place.design[name]):
            yield f"{place}, column {name}: give a number, not {shown(place.design[name])}, or leave the cell empty"


def _levels(name: str, places: Sequence[_Place]) -> dict[str, _Place]:
    """The levels of a factor, or the animals, each with the first row that has it."""
    levels: dict[str, _Place] = {}
    for place in places:
        level = place.animal if name == ANIMAL else place.design.get(name)
        if level and level not in levels:
            levels[level] = place
    return levels


def _level_problems(name: str, places: Sequence[_Place]) -> Iterator[str]:
    """Levels that are no text in tables, and those that only a slip tells apart."""
    first: dict[str, str] = {}
    levels = _levels(name, places)
    for level, place in levels.items():
        if level.lower() in NO_TEXT:
            yield (
                f"{place}, column {name}: {shown(level)} is read as a missing value or as yes or no in tables of text; "
                "use another word, or leave the cell empty where it is not known"
            )
        known = first.setdefault(_folded(level), level)
        if known != level:
            yield (
                f"{place}, column {name}: {shown(level)} and {shown(known)} of {levels[known]} differ only by case, by "
                "a space or by how a number is written; write them the same, or tell them apart by more"
            )


def _count_problems(name: str, places: Sequence[_Place]) -> Iterator[str]:
    levels = _levels(name, places)
    if len(levels) == 1:
        ((level, place),) = levels.items()
        yield (
            f"{place}, column {name}: {shown(level)} is the one level of this factor, so there is nothing to compare; "
            "correct the column, or take the name out of design.factors"
        )


def _animal_problems(places: Sequence[_Place]) -> Iterator[str]:
    """Specimens, volumes, neurons and cells that are of two animals; results take one name for one specimen."""
    first: dict[str, _Place] = {}
    for place in places:
        if not place.animal:
            continue
        for what in _identities(place.row):
            known = first.setdefault(what, place)
            if known.animal != place.animal:
                yield (
                    f"{place}, column animal: {what} is of the animal {place.animal} here and of "
                    f"{known.animal} in {known}; correct one, or give the samples different names"
                )


def _identities(row: SampleRow) -> list[str]:
    """What a row is of, by whatever is one thing wherever it stands."""
    match row:
        case StackRow():
            return [f"specimen {row.specimen}"]
        case VolumeRow():
            return [f"specimen {row.volume}"]
        case NeuronRow():
            roots = [f"cell {row.root_id}"] if row.root_id else []
            return [f"specimen {row.neuron}", f"mesh {row.mesh}", *roots]
        case CellRow():
            return [f"cell {row.root_id}"]
    return []


def _within_problems(name: str, places: Sequence[_Place]) -> Iterator[str]:
    """Animals in two levels of a factor that does not change within one."""
    first: dict[str, _Place] = {}
    for place in places:
        if not (place.animal and name in place.design):
            continue
        known = first.setdefault(place.animal, place)
        if known.design[name] != place.design[name]:
            yield (
                f"{place}, column {name}: the animal {place.animal} is {shown(place.design[name])} here and "
                f"{shown(known.design[name])} in {known}; correct one, or name {name} under design.within_animal "
                "if it may change within an animal"
            )


def _remarks(
    files: Mapping[str, str | None],
    rows: Mapping[str, Sequence[SampleRow]],
    samples: Mapping[str, Mapping[str, Any]],
    names: Sequence[str],
) -> Iterator[str]:
    for sheet in SHEETS:
        every, own = len(rows[sheet]), samples[sheet].values()
        if len(own) < every:
            yield f"{files[sheet]}: {every - len(own)} of {every} rows have no animal and take no part in the design"
        for name in names:
            if lacking := sum(name not in values for values in own):
                yield f"{files[sheet]}: {name} is not given for {lacking} of {len(own)} rows with an animal"


def _folded(level: str) -> str:
    """What is left of a level without case and spaces, and of a number but its value."""
    text = "".join(unicodedata.normalize("NFKC", level).casefold().split())
    return str(Decimal(text).normalize()) if _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False
