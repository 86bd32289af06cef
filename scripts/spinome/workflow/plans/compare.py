"""What the rules of the comparisons ask: which table each one reads, and what it is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spinome.configuration.compare import ANSWERED, TABLES
from spinome.hashing import file_hash
from spinome.workflow.study import Study

# what a comparison is told of where it reads, and not of what it does
PLACES = ("errors_of_truth", "errors_of_review")


@dataclass(frozen=True, repr=False)
class ComparePlan:
    """The comparisons of a study.

    Attributes
    ----------
    study : configuration and rows
    branches : names of the branches that have samples
    scored : by branch the samples that are held against a truth
    series : names of the two-photon series
    """

    study: Study
    branches: Sequence[str]
    scored: Mapping[str, Collection[Any]]
    series: Sequence[str] = ()

    def __post_init__(self):
        if problems := [problem for name in self.names if (problem := self._problem(name))]:
            raise ValueError("\n".join(problems))

    @property
    def config(self) -> dict[str, dict[str, Any]]:
        """The section of the comparisons."""
        return self.study.config["compare"]

    @property
    def names(self) -> list[str]:
        """Names of the comparisons, in their order."""
        return list(self.config)

    @property
    def schema(self) -> str:
        """The schema of the tables."""
        return str(self.study.repository / "workflow" / "schemas" / "compare.schema.yaml")

    @property
    def schema_hash(self) -> str:
        """The hash of the schema's content, so that its place counts for nothing."""
        return file_hash(self.schema)

    def _problem(self, name: str) -> str:
        table, needed = self.config[name]["table"], TABLES.get(self.config[name]["table"])
        if needed and needed not in self.branches:
            return f"compare.{name}: the table {table} is made by the branch {needed}, which has no samples here"
        if self.config[name]["errors_of_truth"] and not self.scored.get(needed or ""):
            return f"compare.{name}: errors_of_truth is set, but no sample of {table} has a truth; state errors"
        if needed is None and not Path(table).exists() and not Path(table).is_relative_to(self.study.results):
            return f"compare.{name}: {table}: no such table"
        return ""

    def table(self, name: str) -> str:
        """The table that a comparison reads."""
        table = self.config[name]["table"]
        return f"<results>/{table}.parquet" if table in TABLES else table

    def pairs(self, name: str) -> list[str]:
        """The detections held against a truth that a comparison takes the error of each level from, if there are."""
        entry = self.config[name]
        measured = entry["errors_of_truth"] and TABLES[entry["table"]] == "twophoton"
        return ["<results>/twophoton/compared.parquet"] if measured else []

    def evaluation(self, name: str) -> list[str]:
        """The scores that a comparison takes the machine's error from, where there are no pairs."""
        entry = self.config[name]
        scored = entry["errors_of_truth"] and not self.pairs(name)
        return [f"<results>/{TABLES[entry['table']]}/evaluation.tsv"] if scored else []

    def answers(self, name: str) -> list[str]:
        """The answers drawn by lot that a comparison takes the machine's error from, if it does."""
        entry = self.config[name]
        return [f"<results>/review/sample/{ANSWERED[entry['table']]}.parquet"] if entry["errors_of_review"] else []

    def asked_about(self, kind: str) -> list[str]:
        """The tables whose rows people are asked about: candidates for spines (`spine`), or labelled synapses."""
        if kind == "spine":
            return [f"<results>/twophoton/judge/{series}.parquet" for series in self.series]
        return ["<results>/neurons/synapses.parquet"]

    def asked(self, name: str) -> dict[str, Any]:
        """What a comparison is told."""
        return {"name": name} | {key: value for key, value in self.config[name].items() if key not in PLACES}

    def stamps(self, name: str) -> list[str]:
        """The stamp of a table of one's own; none of a table that the workflow makes."""
        table = self.config[name]["table"]
        return [] if table in TABLES else self.study.given([table])

    @property
    def tables(self) -> dict[str, str]:
        """The tables over all comparisons by name; empty where there is none."""
        files = {"comparisons": "comparisons.parquet", "plans": "plans.parquet"}
        return {name: f"<results>/compare/{file}" for name, file in files.items()} if self.names else {}

    @property
    def results(self) -> list[str]:
        """All that the comparisons write."""
        return [*self.tables.values(), "<results>/compare/figures"] if self.names else []
