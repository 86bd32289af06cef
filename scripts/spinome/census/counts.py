"""What the census counts, cell by cell: every number of it is a ratio of two sums over cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from spinome.design import SHEET
from spinome.io.datasets import parts_of, read_part

UNKNOWN = "not given"
TAGS = ("spine", "shaft", "soma")
SIZES = ("volume_um3", "head_diameter_um", "neck_length_um")
# numbers up to here are told apart by a table of as many places
MANY = 1 << 24
# what is not known of a cell whose synapses, whose spines, or either of which failed
OF_SYNAPSES = [*(f"input_on_{tag}" for tag in TAGS), *(f"mean_synapse_size_on_{tag}" for tag in TAGS)]
OF_SPINES = ["spines_per_cell", *(f"mean_{size}" for size in SIZES)]
OF_BOTH = ["multi_input", "mean_volume_um3_of_multi_input", "mean_volume_um3_of_single_input"]
COLUMNS = ["side", "cell", "cell_class", "broad_class", "partner_class", "measure", "part", "whole"]
WORDS = [name for name in COLUMNS if name not in ("part", "whole")]
# the columns of the synapses and of the joint table that are counted
READ = ["source", "neuron", "tag", "spine", "size", "pre_pt_root_id", "post_pt_root_id"]
SPINES_READ = ["spine", "sheet", "specimen", "parent", "partners", "multi_input", *SIZES]
# the classes of a cell: its own, and where it is known the broad one that this is part of
Classes = Sequence[str]


def count_by_cell(
    synapses: pd.DataFrame,
    spines: pd.DataFrame,
    classes: Mapping[str, Classes],
    known: Mapping[int, Classes],
    roots: Mapping[str, int] | None = None,
    neurons: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """What each cell receives and what it gives, with the classes of both sides.

    The receiving cells are the neurons of the tables. The giving ones are the presynaptic cells of known class: of
    each, the outputs onto these neurons are counted, not those onto cells without a mesh here.

    Parameters
    ----------
    synapses : `neurons/synapses.parquet`; rows without a tag are left out
    spines : rows of the joint table with source `neurons`
    classes : classes of neurons by name, and of volumes, whose neurons all have them
    known : classes of cells by root id: of partners, and of neurons that `classes` does not name
    roots : root ids of neurons by name, where the sample sheet has them; of another neuron its name, where that is a
        number, or the one `post_pt_root_id` that all its synapses have
    neurons : `neurons/neurons.parquet`, for the cells of which something is not known, and those that have nothing

    Returns
    -------
    Table `side cell cell_class broad_class partner_class measure part whole`: `side` is `input` or `output`,
    `partner_class` is the class or the broad class of the other side and empty for all partners together, and the
    measure of some cells is the sum of their `part` over that of their `whole`; both are null where the measure of a
    cell is not known, since a unit of the neuron failed
    """
    tagged = synapses[synapses["tag"].isin(TAGS)].reset_index(drop=True)
    own, pairs = _pairs_of(tagged, ["source", "neuron"])
    pairs["specimen"] = _specimens(pairs["specimen"], pairs["neuron"])
    failed = _failed(neurons)
    cells = _receiving_cells(tagged, own, pairs, spines, _listed(neurons), classes, known, roots or {})
    tagged["cell"] = _places(pairs, cells)[own]
    carrying, parents = _pairs_of(spines, ["specimen", "parent"])
    carrying = _places(parents, cells)[carrying]
    known = Known.of(known)
    partners = known.partners(tagged.get("pre_pt_root_id", pd.Series(pd.NA, tagged.index)))
    lost = _unknown(failed, _places(failed, cells))
    counts = [_inputs(tagged, partners, bool(known)), _spines(spines, carrying, len(cells))]
    received = _with_unknown(pd.concat(counts, ignore_index=True), lost)
    received = pd.concat([cells.loc[received["cell"]].reset_index(drop=True), received.drop(columns="cell")], axis=1)
    received["cell"] = received["neuron"].where(
        received["specimen"] == received["neuron"], received["specimen"] + "/" + received["neuron"]
    )
    given = _outputs(tagged, partners, cells, spines, carrying)
    giving = known.partners(given["cell"])
    given["cell_class"], given["broad_class"] = (giving.names[giving.codes[:, level]] for level in (0, 1))
    # a cell has many rows, and to write a number as text takes long
    codes, numbers = pd.factorize(given["cell"])
    given["cell"] = numbers.astype(str).to_numpy(object)[codes]
    return pd.concat([received.assign(side="input"), given.assign(side="output")], ignore_index=True)[COLUMNS]


def count_parts(
    synapses: str | Path,
    spines: str | Path,
    neurons: pd.DataFrame,
    classes: Mapping[str, Classes],
    known: Mapping[int, Classes],
    roots: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """As `count_by_cell` of data sets (`spinome.io.datasets`) of which no two parts need fit into memory together.

    Parameters
    ----------
    synapses, spines : `neurons/synapses.parquet` and the joint table; a part of this for each part of those
    """
    known = Known(known)
    joined = {name.removeprefix("neurons-"): file for name, file in parts_of(spines).items()}

    def counts() -> Iterator[pd.DataFrame]:
        left = neurons
        for shard, file in parts_of(synapses).items():
            part = read_part(file, READ, ["source", "neuron", "tag"])
            found = read_part(joined[shard], SPINES_READ, ["sheet", "specimen", "parent"])
            ours = has_rows(left, part, found)
            yield count_by_cell(part, found, classes, known, roots, left[ours])
            left = left[~ours]
        # the neurons that no part has a row of
        yield count_by_cell(part[:0], found[:0], classes, known, roots, left)

    return add_up_parts(counts())


def has_rows(neurons: pd.DataFrame, synapses: pd.DataFrame, spines: pd.DataFrame) -> np.ndarray:
    """Which of the neurons a part of the synapses, or of the joint table of spines, has rows of."""
    there = _pairs_of(synapses, ["source", "neuron"])[1]
    there["specimen"] = _specimens(there["specimen"], there["neuron"])
    carrying = _pairs_of(spines, ["specimen", "parent"])[1]
    return pd.MultiIndex.from_frame(_listed(neurons)).isin(
        pd.MultiIndex.from_frame(pd.concat([there, carrying]).drop_duplicates())
    )


def add_up_parts(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """The counts of all neurons from those of parts of them, each as `count_by_cell` returns it.

    A receiving cell is in one part. What a cell gives is spread over the parts, and its sums are added up.

    Returns
    -------
    as `count_by_cell`, with words as categories, since a large study has millions of rows
    """
    received, given = [], _Given()
    for counts in parts:
        counts = counts[COLUMNS].astype(dict.fromkeys(WORDS, "category"))
        incoming = (counts["side"] == "input").to_numpy()
        received.append(counts[incoming])
        given.add(counts[~incoming])
    return _stacked([*received, given.table()])


class _Given:
    """What cells give, added up over parts: words as numbers, since to compare words of millions of rows takes long."""

    # a row's number holds that of its cell, of the class of its partner and of its measure
    PARTNERS, MEASURES = 1 << 16, 1 << 8

    def __init__(self) -> None:
        self.names = {name: pd.Index([], dtype=object) for name in ("cell", "partner_class", "measure")}
        # the class and the broad class of each cell, by its number
        self.classes: dict[str, list[np.ndarray]] = {"cell_class": [], "broad_class": []}
        self.rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, counts: pd.DataFrame) -> None:
        """Rows of one part, words as categories."""
        if counts.empty:
            return
        before = len(self.names["cell"])
        codes = {name: self._codes(name, counts[name]) for name in self.names}
        number = (codes["cell"] * self.PARTNERS + codes["partner_class"]) * self.MEASURES + codes["measure"]
        new = np.unique(codes["cell"], return_index=True)[1]
        new = new[codes["cell"][new] >= before]
        for name, found in self.classes.items():
            found.append(counts[name].iloc[new].to_numpy(object))
        self.rows.append((number, counts["part"].to_numpy(float), counts["whole"].to_numpy(float)))
        # added up as soon as as much is new as there was
        if sum(len(numbers) for numbers, *_ in self.rows[1:]) > len(self.rows[0][0]):
            self._add_up()

    def table(self) -> pd.DataFrame:
        """The sums, as `count_by_cell` returns them, words as categories."""
        if not self.rows:
            return pd.DataFrame(columns=COLUMNS)
        self._add_up()
        ((number, part, whole),) = self.rows
        rest, measure = np.divmod(number, self.MEASURES)
        cell, partner = np.divmod(rest, self.PARTNERS)
        codes = {"cell": cell, "partner_class": partner, "measure": measure}
        columns = {name: pd.Categorical.from_codes(codes[name], names) for name, names in self.names.items()}
        for name, found in self.classes.items():
            words, names = pd.factorize(np.concatenate(found))
            columns[name] = pd.Categorical.from_codes(words[cell], names)
        columns["side"] = pd.Categorical.from_codes(np.zeros(len(number), np.int8), ["output"])
        return pd.DataFrame({**columns, "part": part, "whole": whole})[COLUMNS]

    def _codes(self, name: str, words: pd.Series) -> np.ndarray:
        known, here = self.names[name], words.cat.remove_unused_categories().cat
        place = known.get_indexer(here.categories)
        new = np.flatnonzero(place < 0)
        place[new] = len(known) + np.arange(len(new))
        self.names[name] = known.append(here.categories[new].astype(object))
        return place[here.codes].astype(np.int64)

    def _add_up(self) -> None:
        number, part, whole = (np.concatenate(columns) for columns in zip(*self.rows))
        number, group = np.unique(number, return_inverse=True)
        sums = [np.bincount(group, values, len(number)) for values in (part, whole)]
        self.rows = [(number, sums[0], sums[1])]


def _stacked(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Rows of tables one after another; their words stay categories, of all that there are."""
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=COLUMNS).astype({"part": float, "whole": float})
    columns = {}
    for name in COLUMNS:
        if name in WORDS:
            columns[name] = union_categoricals([frame[name].astype("category") for frame in frames])
        else:
            columns[name] = np.concatenate([frame[name].to_numpy() for frame in frames])
    return pd.DataFrame(columns)


class _Partners(NamedTuple):
    """The class and the broad class of each of N cells as codes (N, 2) into names; code 0 is no name."""

    codes: np.ndarray
    names: np.ndarray


def _places(pairs: pd.DataFrame, cells: pd.DataFrame) -> np.ndarray:
    """The row of `cells` of each specimen and neuron."""
    places = pd.MultiIndex.from_frame(cells[["specimen", "neuron"]])
    return places.get_indexer(pd.MultiIndex.from_frame(pairs[["specimen", "neuron"]].astype(object)))


def _pairs_of(table: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """The different pairs of two columns of text, and which one each row has."""
    (first, firsts), (second, seconds) = (pd.factorize(table[column]) for column in columns)
    codes, keys = pd.factorize(first * max(len(seconds), 1) + second)
    one, other = np.divmod(keys, max(len(seconds), 1))
    pairs = {"specimen": np.asarray(firsts, object)[one], "neuron": np.asarray(seconds, object)[other]}
    return codes, pd.DataFrame(pairs, dtype=object)


def _specimens(sources: pd.Series, neurons: pd.Series) -> pd.Series:
    """The specimens of neurons: a neuron of the sheet is its own, one made from a volume is of that."""
    return neurons.where(sources == SHEET, sources)


def _listed(neurons: pd.DataFrame | None) -> pd.DataFrame:
    """`specimen neuron` of all neurons that there are."""
    if neurons is None:
        return pd.DataFrame(columns=["specimen", "neuron"], dtype=object)
    specimens = _specimens(neurons["source"], neurons["neuron"])
    return pd.DataFrame({"specimen": specimens, "neuron": neurons["neuron"]}, dtype=object)


def _failed(neurons: pd.DataFrame | None) -> pd.DataFrame:
    """`specimen neuron spines synapses` of the neurons of which something is not known: which of both it is."""
    if neurons is None:
        return pd.DataFrame(columns=["specimen", "neuron", "spines", "synapses"])
    ours = neurons[~neurons["known"].astype(bool)]
    return _listed(ours).assign(spines=ours["spines"].isna(), synapses=ours["synapses"].isna() & ours["with_synapses"])


def _unknown(failed: pd.DataFrame, cell: np.ndarray) -> pd.DataFrame:
    """`cell measure` of what is not known of the cells that failed."""
    rows = [
        (number, measure)
        for number, row in zip(cell, failed.itertuples())
        for asked, measures in ((row.synapses, OF_SYNAPSES), (row.spines, OF_SPINES), (True, OF_BOTH))
        for measure in (measures if asked else ())
    ]
    return pd.DataFrame(rows, columns=["cell", "measure"])


def _with_unknown(counts: pd.DataFrame, lost: pd.DataFrame) -> pd.DataFrame:
    """The counts, with a row without a number for what is not known of a cell instead of what seems to be there."""
    if lost.empty:
        return counts
    keys = ["cell", "measure"]
    kept = counts[~pd.MultiIndex.from_frame(counts[keys]).isin(pd.MultiIndex.from_frame(lost))]
    return pd.concat([kept, lost.assign(partner_class="", part=np.nan, whole=np.nan)], ignore_index=True)[
        counts.columns
    ]


def _receiving_cells(
    tagged: pd.DataFrame,
    own: np.ndarray,
    there: pd.DataFrame,
    spines: pd.DataFrame,
    listed: pd.DataFrame,
    classes: Mapping[str, Classes],
    known: Mapping[int, Classes],
    roots: Mapping[str, int],
) -> pd.DataFrame:
    """`specimen neuron cell_class broad_class` of every cell: those listed, and those with a synapse or a spine.

    Parameters
    ----------
    own, there : row of the cell of each synapse in the table `specimen neuron`
    listed : `specimen neuron` of cells, whether they have a synapse or a spine, have none, or nothing is known
    """
    carrying = _pairs_of(spines, ["specimen", "parent"])[1]
    places = pd.concat([there, carrying, listed])
    places = places.drop_duplicates().sort_values(["specimen", "neuron"], ignore_index=True)
    groups = _integers(tagged.get("post_pt_root_id", pd.Series(pd.NA, tagged.index))).groupby(own)
    low, high = groups.min(), groups.max()
    names = list(zip(there["specimen"], there["neuron"]))
    alone = {names[code]: low[code] for code in low.index[(low == high).fillna(False).astype(bool)]}
    found = []
    for specimen, name in zip(places["specimen"], places["neuron"]):
        own = int(name) if name.isdecimal() else alone.get((specimen, name))
        root = roots.get(name, own) if specimen == name else own
        # a segment may be called as a neuron of the sheet is, and is another cell; its classes are those of its volume
        found.append(_two(classes.get(specimen) or known.get(root) or (UNKNOWN,)))
    places[["cell_class", "broad_class"]] = found or None
    return places


def _inputs(tagged: pd.DataFrame, partners: _Partners, with_partners: bool) -> pd.DataFrame:
    """Where the inputs arrive, and how big those of each place are."""
    size = pd.to_numeric(tagged.get("size", pd.Series(np.nan, tagged.index))).to_numpy(float, na_value=np.nan)
    on = {tag: (tagged["tag"] == tag).to_numpy() for tag in TAGS}
    measures = {f"input_on_{tag}": (on[tag], True) for tag in TAGS}
    for tag in TAGS:
        sized = on[tag] & np.isfinite(size)
        measures[f"mean_synapse_size_on_{tag}"] = (size, sized)
    counts = _add_up(tagged["cell"].to_numpy(), partners, measures)
    if not with_partners:
        return counts
    given = {"input_of_known_class": (partners.codes[:, 0] > 0, True)}
    return pd.concat([counts, _add_up(tagged["cell"].to_numpy(), None, given)], ignore_index=True)


def _spines(spines: pd.DataFrame, cell: np.ndarray, cells: int) -> pd.DataFrame:
    """How many spines there are, how many take several inputs, and how big they are."""
    innervated = (spines["partners"].fillna(0) > 0).to_numpy(bool)
    several = innervated & spines["multi_input"].fillna(False).to_numpy(bool)
    measures = {"multi_input": (several, innervated)}
    for column in SIZES:
        value = pd.to_numeric(spines[column]).to_numpy(float, na_value=np.nan)
        measures[f"mean_{column}"] = (value, np.isfinite(value))
        if column == "volume_um3":
            measures[f"mean_{column}_of_multi_input"] = (value, several & np.isfinite(value))
            measures[f"mean_{column}_of_single_input"] = (value, innervated & ~several & np.isfinite(value))
    # a cell without a spine counts too
    count = np.bincount(cell, minlength=cells)
    whole = _add_up(np.arange(cells), None, {"spines_per_cell": (count, True)})
    return pd.concat([whole, _add_up(cell, None, measures)], ignore_index=True)


def _outputs(
    tagged: pd.DataFrame, partners: _Partners, cells: pd.DataFrame, spines: pd.DataFrame, carrying: np.ndarray
) -> pd.DataFrame:
    """Where the outputs of cells of known class arrive; the other side is now the receiving cell."""
    ours = tagged[partners.codes[:, 0] > 0]
    receiving = _coded(cells[["cell_class", "broad_class"]].replace(UNKNOWN, "").to_numpy(object))
    receiving = _Partners(receiving.codes[ours["cell"]], receiving.names)
    on_spine = (ours["tag"] == "spine").to_numpy(bool)
    number = ours["spine"].to_numpy(float, na_value=-1)
    to_spine = on_spine & (number >= 0)
    several = ((spines["partners"].fillna(0) > 0) & spines["multi_input"].fillna(False).astype(bool)).to_numpy(bool)
    # the last part of a spine's name is its number on the neuron
    numbers = [int(name.rpartition("/")[2]) for name in spines["spine"][several]]
    most = max([int(number.max(initial=0)), *numbers]) + 1
    to_several = np.zeros(len(ours), bool)
    places = ours["cell"].to_numpy()[to_spine] * most + number[to_spine].astype(np.int64)
    to_several[to_spine] = np.isin(places, carrying[several] * most + np.array(numbers, np.int64))
    measures = {"output_on_spine": (on_spine, True), "output_on_multi_input": (to_several, to_spine)}
    return _add_up(ours.get("pre_pt_root_id", pd.Series(dtype="int64")).to_numpy("int64"), receiving, measures)


def _add_up(cell: np.ndarray, partners: _Partners | None, measures: Mapping[str, tuple]) -> pd.DataFrame:
    """Sums by cell and class of the partner; a row counts once for all, for its class and for its broad class."""
    rows, names = [np.arange(len(cell))], np.array([""], object)
    codes = [np.zeros(len(cell), np.int64)]
    if partners is not None:
        names = partners.names
        for level in (0, 1):
            rows.append(np.flatnonzero(partners.codes[:, level]))
            codes.append(partners.codes[rows[-1], level])
    every = np.concatenate(rows)
    number, numbers = _numbered(cell)
    # names are in order, so that the groups are too
    group, found = _numbered(number[every] * len(names) + np.concatenate(codes))
    keys = pd.DataFrame({"cell": numbers[found // len(names)], "partner_class": names[found % len(names)]})
    parts, counted = [], np.bincount(group, minlength=len(keys))
    for measure, (part, whole) in measures.items():
        # most measures are of few of the rows
        ours = slice(None) if whole is True else np.flatnonzero(whole[every])
        here, value = group[ours], part[every[ours]]
        wholes = counted if whole is True else np.bincount(here, minlength=len(keys))
        if value.dtype == bool:
            sums = np.bincount(here[value], minlength=len(keys))
        else:
            sums = np.bincount(here, value, len(keys))
        some = np.flatnonzero(wholes)
        own = {"part": sums[some].astype(float), "whole": wholes[some].astype(float)}
        parts.append(keys.iloc[some].assign(**own, measure=measure))
    return pd.concat(parts, ignore_index=True)


def _numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The place of each value among all different ones, and these in order; small numbers are counted, not sorted."""
    most = int(values.max(initial=0))
    if most > MANY or (len(values) and values.min() < 0):
        return pd.factorize(values, sort=True)
    there = np.zeros(most + 1, bool)
    there[values] = True
    place = np.cumsum(there) - 1
    return place[values], np.flatnonzero(there)


class Known(Mapping[int, Classes]):
    """Classes of cells by root id, looked up for many at once."""

    def __init__(self, classes: Mapping[int, Classes]):
        self._classes = classes
        self._roots = pd.Index(np.fromiter(classes, np.int64, len(classes)))
        # the class of no root is the last row
        self._codes = _coded(np.array([*map(_two, classes.values()), ("", "")], object))

    @classmethod
    def of(cls, classes: Mapping[int, Classes]) -> Known:
        """These classes, looked up as often as is asked for."""
        return classes if isinstance(classes, cls) else cls(classes)

    def partners(self, roots: pd.Series) -> _Partners:
        """The class and the broad class of each root id, no name where there is none."""
        ids = _integers(roots)
        place = self._roots.get_indexer(ids.fillna(0).to_numpy(np.int64))
        return _Partners(self._codes.codes[np.where(ids.isna(), -1, place)], self._codes.names)

    def __getitem__(self, root: int) -> Classes:
        return self._classes[root]

    def __iter__(self) -> Iterator[int]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


def _integers(roots: pd.Series) -> pd.Series:
    """Root ids as `Int64`."""
    return roots if roots.dtype == "Int64" else pd.to_numeric(roots).astype("Int64")


def _coded(words: np.ndarray) -> _Partners:
    """Words (N, 2) as codes; names are in order, and first comes the empty one."""
    names = sorted({"", *words.ravel()})
    codes = pd.Index(names).get_indexer(words.ravel()).reshape(words.shape)
    return _Partners(codes, np.array(names, object))


def _two(names: Classes) -> tuple[str, str]:
    """The class and the broad class, empty where there is none."""
    return names[0], names[1] if len(names) > 1 else ""
