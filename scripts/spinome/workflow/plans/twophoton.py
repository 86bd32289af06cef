"""What the rules of the twophoton branch ask.

A stack is one field of a specimen at one timepoint, a series all stacks of a field in the order of their days. A step
writes files per stack, named `specimen.field.timepoint`, or per series, named `specimen.field`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from spinome.io.sources import file_of, given_files, split_source
from spinome.workflow import samples
from spinome.workflow.asking import SizeOf
from spinome.workflow.samples import Correction, StackRow
from spinome.workflow.sizes import Size
from spinome.workflow.study import Model, Study

# what there is per stack, by the name under which rules take it: the step that writes it, and how its files end
PER_STACK = {
    "stacks": ("register", ".zarr"),
    "projections": ("register", ".tif"),
    "boxes": ("depth_track", ".boxes.parquet"),
    "candidates": ("depth_track", ".parquet"),
    "spines": ("measure", ".parquet"),
    "dendrites": ("measure", ".dendrites.parquet"),
    "corrections": ("measure", ".corrections.parquet"),
}
# columns of the truth that models learn from and are held against
TRUTH = ("truth_spines", "truth_dendrites")
# the judge and the detector that learned from answers, and where the latter looked again
LEARNED = "<results>/review/learn/judge.skops"
LEARNED_DETECTOR = "<results>/review/learn/detector.safetensors"
FOUND_AGAIN = "<results>/review/detect"
# what it finds there, of `PER_STACK`
FOUND = ("boxes", "candidates")
# of a correction, what a person decided and where; the other columns tell the person what is asked
DECIDED = {"decision", *samples.IDENTITY[Correction]}


@dataclass(frozen=True, repr=False)
class TwophotonPlan:
    """The two-photon stacks of a study, by series."""

    study: Study

    def __post_init__(self):
        if problems := samples.series_problems(self.study.stacks):
            sheet = self.study.config["samples"]["stacks"]
            raise ValueError("\n".join(f"{sheet}: {problem}" for problem in problems))
        # what is wrong with the corrections and the names for training is told when the plan is made
        _ = self.corrections, self.trained, self.judge_trained

    @property
    def config(self) -> dict[str, Any]:
        """The section of the branch."""
        return self.study.config["twophoton"]

    @cached_property
    def by_series(self) -> dict[str, list[StackRow]]:
        """The rows of each series in the order of their days; series in the order of their names."""
        rows: dict[str, list[StackRow]] = {series: [] for series in sorted({row.series for row in self.study.stacks})}
        for row in sorted(self.study.stacks, key=lambda row: row.day):
            rows[row.series].append(row)
        return rows

    @property
    def series(self) -> list[str]:
        """Names of all series."""
        return list(self.by_series)

    @cached_property
    def corrections(self) -> list[Correction]:
        """What a person says of spines and links.

        Raises
        ------
        ValueError: as `spinome.workflow.samples.read_corrections`
        """
        table = self.config["track"]["corrections"]
        return samples.read_corrections(table, self.study.stacks) if self.study.stacks and table else []

    @cached_property
    def trained(self) -> list[StackRow]:
        """Stacks that the detector is trained on."""
        return self._teachers("train", "detector")

    @cached_property
    def judge_trained(self) -> list[StackRow]:
        """Stacks that the judge of candidates is trained on."""
        return self._teachers("train_judge", "judge")

    @property
    def judge_teachers(self) -> dict[str, dict[str, Any]]:
        """What the training of the judge is told of its stacks, and whether each is simulated."""
        simulated = self.study.config["phantom"]["specimens"]
        told = stack_rows(self.judge_trained, "series", "timepoint")
        return {
            stack_name(row): told[stack_name(row)] | {"simulated": row.specimen in simulated}
            for row in self.judge_trained
        }

    def _teachers(self, key: str, model: str) -> list[StackRow]:
        """The rows with truth of the series that a key names; none where a model is given.

        Raises
        ------
        ValueError: if a series is not in the sheet or has no truth
        """
        if self.study.config["models"][model]:
            return []
        known = {row.series for row in self.study.stacks if row.truth_spines}
        if unknown := set(self.config[key]) - known:
            raise ValueError(
                f"twophoton.{key} names {', '.join(sorted(unknown))} without truth_spines in the sample sheet; "
                f"series with truth: {', '.join(sorted(known)) or 'none'}"
            )
        return [row for row in self.study.stacks if row.series in self.config[key] and row.truth_spines]

    @cached_property
    def scored(self) -> list[StackRow]:
        """Rows with a truth whose series no model is trained on."""
        # answers may be about any of them, and a judge is not scored on what it was told
        if self.learns:
            return []
        taught = {*self.config["train"], *self.config["train_judge"]}
        return [row for row in self.study.stacks if row.truth_spines and row.series not in taught]

    @property
    def given_boxes(self) -> str | None:
        """Boxes of another detector, which come with its own scores: then nothing is detected or judged here."""
        return self.config["detect"]["boxes"]

    @cached_property
    def detector(self) -> Model:
        """The network that detects spines; none where boxes are given."""
        return self._model("detector", self.trained, ".safetensors")

    @property
    def last_detector(self) -> Model:
        """The network whose boxes count, after it learned from answers where it does."""
        return Model([LEARNED_DETECTOR], None, "", answered=True) if self.learns else self.detector

    @property
    def learns(self) -> bool:
        """Whether the judge and the detector learn from what people answered in `spinome review`."""
        return bool(self.study.stacks) and self.study.config["review"]["learn"] and not self.given_boxes

    @cached_property
    def judge(self) -> Model:
        """The forest that judges candidates; none where boxes are given."""
        return Model([LEARNED], None, "", answered=True) if self.learns else self.taught_judge

    @cached_property
    def taught_judge(self) -> Model:
        """The judge as it is before it learns from answers."""
        return self._model("judge", self.judge_trained, ".skops")

    def _model(self, name: str, teachers: list[StackRow], suffix: str) -> Model:
        return self.study.given_model(None) if self.given_boxes else self.study.model(name, teachers, suffix)

    @cached_property
    def start(self) -> Model:
        """The detector that training begins with; none where it begins from nothing."""
        return self.study.given_model(self.config["training"]["start"])

    @property
    def training(self) -> dict[str, Any]:
        """Settings of the training; the pixel of flat field views where there are any."""
        settings = self.config["training"]
        return {key: settings[key] for key in ("steps", *(["pixel_um"] if settings["fields"] else []))}

    @property
    def across_sessions(self) -> dict[str, float] | None:
        """How candidates are held against those of other sessions; None where each session is judged for itself."""
        # scores of another detector are no probabilities
        if self.given_boxes or not self.config["detect"]["across_sessions"]:
            return None
        return {key: self.config["track"][key] for key in ("max_shift_um", "gate_um")}

    @property
    def failures(self) -> list[str]:
        """Tables of failed units of the branch."""
        return [f"<results>/failures/twophoton_register/{stack_name(row)}.parquet" for row in self.study.stacks]

    def given(self, rows: Iterable[StackRow], *columns: str) -> dict[str, str]:
        """Named inputs `<column>/<specimen.field.timepoint>`: the files that these columns of rows name."""
        files = {f"{column}/{stack_name(row)}": file_of(getattr(row, column)) for column in columns for row in rows}
        return given_files(files)

    def per_stack(self, kind: str, rows: Iterable[StackRow]) -> dict[str, str]:
        """Named inputs `<kind>/<specimen.field.timepoint>` of these rows; kinds are those of `PER_STACK`.

        What was found is what the detector has found that did not learn from answers yet.
        """
        return {f"{kind}/{stack_name(row)}": _file(kind, row) for row in rows}

    def of_series(self, *kinds: str) -> Callable[[Any], dict[str, str]]:
        """An input function: named inputs `<kind>/<timepoint>` of a series, after a detector learned from answers."""
        return lambda wildcards: {
            f"{kind}/{row.timepoint}": self._last(kind, row) for kind in kinds for row in self._rows(wildcards)
        }

    def timepoints(self, wildcards: Any) -> list[str]:
        """Timepoints of a series in the order of its days, which counts: Snakemake does not see the order of inputs."""
        return [row.timepoint for row in self._rows(wildcards)]

    def days(self, wildcards: Any) -> list[tuple[str, float]]:
        """Timepoints and days of a series, in the order of its days."""
        return [(row.timepoint, row.day) for row in self._rows(wildcards)]

    def corrections_of(self, *decisions: str) -> Callable[[Any], list[dict[str, Any]]]:
        """A function of wildcards: what a person decided of a stack or a series, as plain values."""
        rows = [
            {name: value for name, value in asdict(row).items() if name in DECIDED}
            for row in self.corrections
            if row.decision in decisions
        ]
        return lambda wildcards: [row for row in rows if all(row[key] == value for key, value in wildcards.items())]

    def column(self, column: str) -> Callable[[Any], Any]:
        """A function of wildcards: what the sheet says of a stack."""
        return lambda wildcards: getattr(self._row(wildcards), column)

    def file(self, column: str) -> Callable[[Any], str | list[str]]:
        """An input function: the file of a column of a stack."""
        return lambda wildcards: file_of(getattr(self._row(wildcards), column))

    def stamps(self, column: str) -> Callable[[Any], list[str]]:
        """A function of wildcards: the stamp of the given file of a column of a stack."""
        return lambda wildcards: self.study.given([getattr(self._row(wildcards), column)])

    def dataset(self, wildcards: Any) -> str:
        """The name of the image in the file of a stack; empty where the file is of one image."""
        return split_source(self._row(wildcards).path)[1]

    def stamps_of(self, rows: Iterable[StackRow], *columns: str) -> list[str]:
        """Stamps of the given files of these columns of rows."""
        return self.study.given(getattr(row, column) for row in rows for column in columns)

    def stack_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job on a stack."""
        voxels = self.study.sizes.stack(self._row(wildcards))
        return Size(voxels, voxels)

    def resampled_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job that looks through a stack by a detector."""
        voxels = self.study.sizes.resampled(self._row(wildcards))
        return Size(voxels, voxels)

    def series_size(self, wildcards: Any, input: Any) -> Size:
        """The size of a job on a series, of which it holds one stack at a time."""
        return self.sizes_of(self._rows(wildcards))(wildcards, input)

    def sizes_of(self, rows: Iterable[StackRow]) -> SizeOf:
        """The size of a job that goes through stacks one after another."""
        return _one_after_another(rows, self.study.sizes.stack)

    def resampled_sizes_of(self, rows: Iterable[StackRow]) -> SizeOf:
        """The size of a job that looks through stacks by a detector, one after another."""
        return _one_after_another(rows, self.study.sizes.resampled)

    def _last(self, kind: str, row: StackRow) -> str:
        if self.learns and kind in FOUND:
            return f"{FOUND_AGAIN}/{stack_name(row)}{PER_STACK[kind][1]}"
        return _file(kind, row)

    def _row(self, wildcards: Any) -> StackRow:
        return self.study.stack_of[wildcards.specimen, wildcards.field, wildcards.timepoint]

    def _rows(self, wildcards: Any) -> list[StackRow]:
        return self.by_series[f"{wildcards.specimen}.{wildcards.field}"]


def stack_name(row: StackRow) -> str:
    """How the files of a stack are named."""
    return f"{row.series}.{row.timepoint}"


def stack_rows(rows: Iterable[StackRow], *columns: str) -> dict[str, dict[str, Any]]:
    """What the sheet says of stacks, by `specimen.field.timepoint`: the columns that a step uses."""
    return {stack_name(row): {column: getattr(row, column) for column in columns} for row in rows}


def _one_after_another(rows: Iterable[StackRow], voxels_of: Callable[[StackRow], float]) -> SizeOf:
    """The size of a job that holds one stack at a time, of so many voxels each."""
    rows = list(rows)

    def size(wildcards: Any, input: Any) -> Size:
        voxels = [voxels_of(row) for row in rows]
        return Size(max(voxels, default=0.0), sum(voxels))

    return size


def _file(kind: str, row: StackRow) -> str:
    step, suffix = PER_STACK[kind]
    return f"<results>/twophoton/{step}/{stack_name(row)}{suffix}"
