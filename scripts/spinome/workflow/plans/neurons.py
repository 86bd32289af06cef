"""What the rules of the neurons branch ask.

A unit is a neuron. Shards 0 to n-1 hold the neurons of the sample sheet; a shard `volume-NAME` holds those that the
linking branch meshes from a volume, which are known only when it runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from spinome.hashing import content_hash
from spinome.names import VOLUME
from spinome.workflow.asking import SizeOf
from spinome.workflow.code import script_hash
from spinome.workflow.samples import NeuronRow
from spinome.workflow.shards import Finished, gone_of, plan
from spinome.workflow.sizes import UNREADABLE, Size
from spinome.workflow.stamps import Stamps
from spinome.workflow.study import Model, Study

# a mesh that is not there yet is taken for one of so many million vertices, which few are
UNKNOWN_MILLIONS = 1.0
# a volume's neurons are known only when it is linked, and are taken for so many of that size
VOLUME_NEURONS = 60
# of a shard of very many neurons so many are looked into, and the largest is taken for so many times the one found
LOOKED_AT, UNSEEN = 20, 2.0
# steps whose units are neurons of both kinds of shard
STEPS = ("simplify", "hks", "condense", "classify", "spines", "synapses")
# those whose units go once the neurons are condensed, where `neurons.keep` is `condensed`, and those that read them
UNKEPT = ("simplify", "hks")
READERS = ("hks", "condense")
# the forest that has learned from what people answered
LEARNED = "<results>/review/learn_neurons/neurons.skops"


@dataclass(frozen=True, repr=False)
class NeuronsPlan:
    """The neurons of a study, by shard.

    Attributes
    ----------
    study : configuration and rows
    linked_volumes : volumes whose linked segments are meshed and go through this branch
    """

    study: Study
    linked_volumes: tuple[str, ...]

    def __post_init__(self):
        # what is wrong with the names for training and the decisions is told when the plan is made
        _ = self.trained, self.decisions

    @property
    def config(self) -> dict[str, Any]:
        """The section of the branch."""
        return self.study.config["neurons"]

    @cached_property
    def by_shard(self) -> dict[str, list[str]]:
        """Names of the sheet's neurons by shard."""
        names = [row.neuron for row in self.study.neurons]
        return {str(shard): members for shard, members in plan(names, self.config["shards"]).items()}

    @property
    def sheet_shards(self) -> list[str]:
        """Shards of the sheet's neurons."""
        return list(self.by_shard)

    @property
    def volume_shards(self) -> list[str]:
        """Shards of the neurons made from volumes."""
        return [f"{VOLUME}{volume}" for volume in self.linked_volumes]

    @property
    def shards(self) -> list[str]:
        """All shards."""
        return [*self.sheet_shards, *self.volume_shards]

    @cached_property
    def trained(self) -> list[NeuronRow]:
        """The rows that the configuration names for training.

        Raises
        ------
        ValueError: if one is in no sheet or has no truth
        """
        wanted, rows = set(self.config["train"]), self.study.neuron_of
        lacking = sorted(name for name in wanted if name not in rows or not rows[name].truth_labels)
        if lacking:
            raise ValueError(
                f"neurons.train names {', '.join(lacking)} without truth_labels in the sample sheet; fill the column, "
                "or train on others"
            )
        return [row for row in self.study.neurons if row.neuron in wanted]

    @cached_property
    def scored(self) -> list[NeuronRow]:
        """Rows with a truth that no model is trained on."""
        # answers may be about any of them, and a forest is not scored on what it was told
        if self.learns:
            return []
        return [row for row in self.study.neurons if row.truth_labels and row.neuron not in self.config["train"]]

    @cached_property
    def decisions(self) -> dict[str, list[list[Any]]]:
        """What a person says of pairs of places, one spine or two, by neuron; rows are `PAIR_PLACES` and the decision.

        Raises
        ------
        ValueError: as `spinome.neurons.spines.read_decisions`
        """
        table = self.config["spines"]["decisions"]
        if not table or not self.study.neurons:
            return {}
        # imported where it is needed, since it loads slowly, for every job anew
        from spinome.neurons.spines import read_decisions

        rows = read_decisions(table, list(self.study.neuron_of))
        return {
            str(neuron): own.drop(columns="neuron").to_numpy(object).tolist() for neuron, own in rows.groupby("neuron")
        }

    def decided(self, wildcards: Any) -> dict[str, list[list[Any]]]:
        """The decisions on neurons of the rule's shard, by neuron."""
        return {name: self.decisions[name] for name in self.by_shard.get(wildcards.shard, []) if name in self.decisions}

    @cached_property
    def solver(self) -> dict[str, Any]:
        """The options of the solver in use alone, so that those of the other make nothing run again."""
        options = self.config["hks"]
        return {key: options[key] for key in ("solver", "mollify")} | options[options["solver"]]

    @property
    def simplification(self) -> dict[str, Any]:
        """How meshes are simplified; how boldly counts only where faces are removed at all."""
        options = self.config["simplify"]
        removes = any(value is not None for key, value in options.items() if key != "aggressiveness")
        return {key: value for key, value in options.items() if removes or key != "aggressiveness"}

    @property
    def keeps_all(self) -> bool:
        """Whether the units of all steps are kept; else of those alone that the condensed features begin with."""
        keep = self.config["keep"]
        return len(self.study.neurons) <= self.config["keep_all_up_to"] if keep is None else keep == "all"

    @cached_property
    def readers(self) -> str:
        """Hash of the settings and code of the steps that read what is not kept; empty where all is kept."""
        return "" if self.keeps_all else content_hash(self.solver, self.config["condense"], *map(_code, READERS))

    def unkept(self, wildcards: Any) -> list[str]:
        """Stamps of a shard's meshes and, where units are not kept, of the settings and code that made them.

        Snakemake does not look at what made a table that is gone; so the step after tells it of every change.
        """
        made = [] if self.keeps_all else [content_hash(self.simplification, self.solver, *map(_code, UNKEPT))]
        return [*self.stamps("mesh")(wildcards), *made]

    def shard_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job on a shard, in millions of vertices: its largest mesh, and all of them."""
        if self.by_shard.get(wildcards.shard):
            return self.sizes_of(self.shard_rows(wildcards.shard))(wildcards, input)
        # imported where it is needed, since the readers of meshes take half a second to load, for every job anew
        from spinome.io.meshes import vertices_of
        from spinome.neurons.units import volume_neurons

        try:
            meshes = volume_neurons(self._volume(wildcards), str(self.folder(wildcards))).values()
            millions = [vertices_of(unit.mesh) / 1e6 for unit in meshes]
        except UNREADABLE:
            # not made yet
            millions = [UNKNOWN_MILLIONS] * VOLUME_NEURONS
        return Size(max(millions, default=0.0), sum(millions))

    def every_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job that goes through all neurons one after another, those of volumes too."""
        sizes = [self.shard_size(SimpleNamespace(shard=shard), input) for shard in self.shards]
        return Size(max((size.held for size in sizes), default=0.0), sum(size.total for size in sizes))

    def sizes_of(self, rows: Iterable[NeuronRow]) -> SizeOf:
        """The size of a job that goes through neurons one after another; of many, some are looked into for all."""
        rows = list(rows)
        looked = rows if len(self.study.neurons) <= Stamps.MOST_OPENED else rows[:: max(1, len(rows) // LOOKED_AT)]

        def size(wildcards: Any, input: Any) -> Size:
            millions = [self._millions(row) for row in looked]
            # the largest of a sample is not that of all
            held = max(millions, default=0.0) * (1 if len(looked) == len(rows) else UNSEEN)
            return Size(held, sum(millions) * len(rows) / max(1, len(looked)))

        return size

    def _volume(self, wildcards: Any) -> str:
        return wildcards.shard.removeprefix(VOLUME)

    def _millions(self, row: NeuronRow) -> float:
        """Millions of vertices of a mesh; of one that is not there yet, or broken, what few have."""
        if row.neuron not in self._known_millions:
            # of very many that are not there yet, an error for each would take long
            if not os.path.exists(row.mesh.partition("::")[0]):  # noqa: PTH110
                return self._fetched_millions(row) if row.neuron in self.study.mesh_addresses else UNKNOWN_MILLIONS
            from spinome.io.meshes import vertices_of

            try:
                self._known_millions[row.neuron] = vertices_of(row.mesh) / 1e6
            except UNREADABLE:
                return UNKNOWN_MILLIONS
        return self._known_millions[row.neuron]

    def _fetched_millions(self, row: NeuronRow) -> float:
        """Millions of vertices of a mesh from an address that does not stay; none of one that could not be had."""
        table = Path(self.fetched_table(self._shard_of[row.neuron]).replace("<results>", self.study.results))
        try:
            files = self._fetched_files(table, table.stat().st_mtime_ns)
            if row.neuron not in files:
                return 0.0
            file = Path(files[row.neuron])
            if (gone := gone_of(file)).exists():
                return int(gone.read_text()) / 1e6
            from spinome.io.meshes import vertices_of

            return vertices_of(str(file)) / 1e6
        except UNREADABLE:
            return UNKNOWN_MILLIONS

    @cached_property
    def _fetched_files(self) -> Callable[[Path, int], dict[str, str]]:
        # read again where a run has made it anew
        return cache(lambda table, time: {unit: file for unit, (_, file, _) in Finished.read(table).rows.items()})

    @cached_property
    def _known_millions(self) -> dict[str, float]:
        return {}

    @property
    def learns(self) -> bool:
        """Whether the forest learns from what people answered in `spinome review`, about neurons of the sheet."""
        return bool(self.study.neurons) and self.study.config["review"]["learn"]

    @cached_property
    def model(self) -> Model:
        """The forest of soma, shaft and spine."""
        return Model([LEARNED], None, "", answered=True) if self.learns else self.taught_model

    @cached_property
    def taught_model(self) -> Model:
        """The forest as it is before it learns from answers."""
        return self.study.model("neurons", self.config["train"])

    @property
    def failures(self) -> list[str]:
        """Tables of failed units that the branch's tables of neurons and synapses rest on."""
        return [
            *(f"<results>/failures/retrieve_mesh/{shard}.parquet" for shard in self.fetching(self.study.neurons)),
            *(f"<results>/failures/neurons_{step}/{shard}.parquet" for step in STEPS for shard in self.shards),
        ]

    @property
    def all_failures(self) -> list[str]:
        """All tables of failed units of the branch; only neurons of the sheet are written for other programs."""
        written = ["exchange", *(["features"] if self.config["features"]["storage"] else [])]
        return [
            *self.failures,
            *(f"<results>/failures/neurons_{step}/{shard}.parquet" for step in written for shard in self.sheet_shards),
        ]

    @property
    def finished(self) -> dict[str, list[str]]:
        """Tables of finished units by step."""
        kept = [step for step in STEPS if self.keeps_all or step not in UNKEPT]
        tables = {f"neurons_{step}": list(self.step(step).values()) for step in kept}
        if self.fetched_tables:
            tables["retrieve_mesh"] = self.fetched_tables
        written = ["exchange", *(["features"] if self.config["features"]["storage"] else [])]
        return tables | {
            f"neurons_{step}": [f"<results>/neurons/{step}/{shard}.parquet" for shard in self.sheet_shards]
            for step in written
        }

    def shard_rows(self, shard: str) -> list[NeuronRow]:
        """The rows of the sheet in a shard; none for the neurons of a volume."""
        return self._shard_rows.get(shard, [])

    @cached_property
    def _shard_rows(self) -> dict[str, list[NeuronRow]]:
        return {shard: [self.study.neuron_of[name] for name in names] for shard, names in self.by_shard.items()}

    def shards_of(self, rows: Iterable[NeuronRow]) -> list[str]:
        """The shards that hold these rows."""
        if rows is self.study.neurons:
            return self.sheet_shards
        wanted = {self._shard_of[row.neuron] for row in rows}
        return [shard for shard in self.by_shard if shard in wanted]

    @cached_property
    def _shard_of(self) -> dict[str, str]:
        return {name: shard for shard, members in self.by_shard.items() for name in members}

    def step(self, step: str, rows: Iterable[NeuronRow] | None = None) -> dict[str, str]:
        """Named inputs `<step>/<shard>`: the tables of a step's finished units, of all shards or of those of rows."""
        shards = self.shards if rows is None else self.shards_of(rows)
        return {f"{step}/{shard}": f"<results>/neurons/{step}/{shard}.parquet" for shard in shards}

    @property
    def folders(self) -> dict[str, str]:
        """Named inputs `folders/<volume>`: the folders of meshes made from volumes."""
        return {f"folders/{volume}": f"<results>/linking/meshes/{volume}" for volume in self.linked_volumes}

    def folder(self, wildcards: Any) -> str | list[str]:
        """The folder of meshes of a shard's volume; none for neurons of the sheet."""
        if wildcards.shard in self.volume_shards:
            return f"{self.study.results}/linking/meshes/{wildcards.shard.removeprefix(VOLUME)}"
        return []

    def files(self, column: str) -> Callable[[Any], list[str]]:
        """An input function: the files of a column of a shard."""
        # many rules ask the same of a shard
        known = self._files
        return lambda wildcards: known(wildcards.shard, column)

    @cached_property
    def _files(self) -> Callable[[str, str], list[str]]:
        return cache(lambda shard, column: self.files_of(self.shard_rows(shard), column))

    def files_of(self, rows: Sequence[NeuronRow], column: str) -> list[str]:
        """The files of a column, without the name of a group inside of them.

        Of meshes that are fetched the tables of those that could be had: one of a shard, however many there are. Of
        very many neurons files from outside are left out: Snakemake would look at each again and again, and the stamps
        (`stamps_of`) tell of every change.
        """
        addresses = self.study.mesh_addresses if column == "mesh" else {}
        tables = self.fetched_of(rows) if addresses else []
        sources = (getattr(row, column) for row in rows if row.neuron not in addresses)
        # many neurons may share a table
        files = dict.fromkeys(source.partition("::")[0] for source in sources if source)
        if len(self.study.neurons) > Stamps.MOST_OPENED:
            files = dict.fromkeys(file for file in files if self.study.within(file) is not None)
        return [*tables, *files]

    def addresses(self, wildcards: Any) -> dict[str, str]:
        """The public addresses of a shard's meshes, by neuron."""
        return self._addresses(wildcards.shard)

    @cached_property
    def _addresses(self) -> Callable[[str], dict[str, str]]:
        known = self.study.mesh_addresses
        return cache(lambda shard: {name: known[name] for name in self.by_shard.get(shard, []) if name in known})

    def addresses_of(self, rows: Iterable[NeuronRow]) -> dict[str, str]:
        """The public addresses of the meshes of rows, by neuron."""
        known = self.study.mesh_addresses
        return (
            known
            if rows is self.study.neurons
            else {row.neuron: known[row.neuron] for row in rows if row.neuron in known}
        )

    @property
    def fetches(self) -> dict[str, int]:
        """The resource of a job that may fetch meshes again, since they do not stay; a plan shows it."""
        return {"fetches": 1} if self.study.mesh_addresses and not self.config["keep_fetched"] else {}

    @property
    def last_reader(self) -> str:
        """The last of the steps that go through all meshes of the sheet, which lets fetched ones go."""
        # coloured meshes are written where all is kept
        return "exchange" if self.keeps_all else "synapses"

    def fetched_of(self, rows: Iterable[NeuronRow]) -> list[str]:
        """The tables of the fetched meshes of rows."""
        return list(map(self.fetched_table, self.fetching(rows)))

    def fetching(self, rows: Iterable[NeuronRow]) -> list[str]:
        """The shards that fetch meshes of rows."""
        known = self.study.mesh_addresses
        if rows is self.study.neurons:
            # asked again and again, and the first of a shard tells
            return [shard for shard, names in self.by_shard.items() if any(name in known for name in names)]
        return self.shards_of(row for row in rows if row.neuron in known) if known else []

    def fetched(self, wildcards: Any) -> list[str]:
        """The table of a shard's fetched meshes; none where none lies at a public address."""
        return [self.fetched_table(wildcards.shard)] if self.addresses(wildcards) else []

    def fetched_table(self, shard: str) -> str:
        """The table of a shard's fetched meshes."""
        return f"<results>/retrieve/mesh/{shard}.parquet"

    @cached_property
    def fetched_tables(self) -> list[str]:
        """The tables of fetched meshes of all shards."""
        return self.fetched_of(self.study.neurons)

    def stamps(self, *columns: str) -> Callable[[Any], list[str]]:
        """A function of wildcards: one stamp of the given files of these columns of a shard."""
        known = self._stamps
        return lambda wildcards: known(wildcards.shard, *columns)

    @cached_property
    def _stamps(self) -> Callable[..., list[str]]:
        return cache(lambda shard, *columns: self.stamps_of(self.shard_rows(shard), *columns))

    def told_of(self, rows: Iterable[NeuronRow], *columns: str) -> str:
        """A hash of what the sheet says of rows in these columns, no paths, for a rule that takes them from `aside`."""
        return content_hash([[row.neuron, *(getattr(row, column) for column in columns)] for row in rows])

    def stamps_of(self, rows: Sequence[NeuronRow], *columns: str) -> list[str]:
        """One stamp of the given files of these columns of rows: Snakemake keeps it for each of many jobs."""
        return [content_hash(self.study.given(getattr(row, column) for row in rows for column in columns))]

    def each(self, *columns: str) -> Callable[[Any], dict[str, dict[str, Any]]]:
        """A function of wildcards: what the sheet says of the neurons of a shard, by neuron; no paths."""
        return lambda wildcards: self._rows(wildcards.shard, *columns)

    @cached_property
    def _rows(self) -> Callable[..., dict[str, dict[str, Any]]]:
        # shared by all jobs that ask for the same columns of a shard
        return cache(lambda shard, *columns: rows_of(self.shard_rows(shard), *columns))

    def aside(self, *columns: str, **values: Any) -> Callable[[Any], SimpleNamespace]:
        """A function of wildcards: the parameter `aside` with the rows of a shard, paths and all."""
        return lambda wildcards: self.study.aside(
            rows=Told(self.shard_rows(wildcards.shard), columns), addresses=self.addresses(wildcards), **values
        )


def _code(step: str) -> str:
    return script_hash(f"neurons_{step}")


class Told(Mapping[str, dict[str, Any]]):
    """What the sheet says of neurons, as `rows_of`, made when it is asked for; a job gets it as plain values.

    For the parameter `aside`, which a plan of very many neurons holds for each of many jobs.
    """

    def __init__(self, rows: Sequence[NeuronRow], columns: Sequence[str]):
        self.rows, self.columns = rows, tuple(columns)

    def __getitem__(self, neuron: str) -> dict[str, Any]:
        return rows_of([row for row in self.rows if row.neuron == neuron], *self.columns)[neuron]

    def __iter__(self) -> Iterator[str]:
        return (row.neuron for row in self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __reduce__(self) -> tuple[type[dict], tuple[dict[str, dict[str, Any]]]]:
        return dict, (rows_of(self.rows, *self.columns),)


def rows_of(rows: Iterable[NeuronRow], *columns: str) -> dict[str, dict[str, Any]]:
    """What the sheet says of neurons, by name: the columns that a step uses."""
    return {row.neuron: {column: getattr(row, column) for column in columns} for row in rows}
