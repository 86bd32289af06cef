"""The table of answers: a folder of Parquet files, to which any number of windows and people append at once.

An answer is one row and is never changed. Who thinks again appends a row that `replaces` the earlier one; who takes an
answer back appends one that is empty. Each row is written as a file of its own that appears whole, so that two writers
never wait for each other and lose nothing. `pandas.read_parquet` reads the folder as one table.
"""

from __future__ import annotations

import itertools
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
from scipy.spatial import cKDTree
from sklearn.metrics import cohen_kappa_score

from spinome.columns import POSITION
from spinome.io.damage import DamagedError
from spinome.review.extent import read_extent

NEXT = [f"next_{axis}" for axis in POSITION]
ANSWER_COLUMNS = {
    "answer_id": "string",
    "replaces": "string",
    "time": "datetime64[us, UTC]",
    "who": "string",
    "kind": "string",
    "unit": "string",
    **dict.fromkeys(POSITION, "float64"),
    "next_unit": "string",
    **dict.fromkeys(NEXT, "float64"),
    "subject": "Int64",
    "chosen": "Int64",
    "now": "string",
    "provenance": "string",
    "answer": "string",
    "note": "string",
    "drawn": "string",
    "seconds": "float64",
    "extent": "string",
    "seen_z_um": "float64",
}
# answers that were given before there was such a column have none
LATER = ("extent", "seen_z_um")
UNSURE = "unsure"
# what may be answered; of a link the answer "shaft" goes with `chosen`
ANSWERS = {
    "spine": ("spine", "no spine", UNSURE),
    "missed spine": ("missed spine",),
    "same spine": ("same", "different", UNSURE),
    "synapse": ("synapse", "no synapse", UNSURE),
    "missed synapse": ("missed synapse",),
    "link": ("shaft", "none of them", "no orphan", UNSURE),
    "segment": ("spine", "shaft", "axon", "soma", "glia", "other", UNSURE),
    "label": ("spine", "shaft", "soma", UNSURE),
    "patch": ("spine", "shaft", "soma", UNSURE),
    "one spine": ("one", "two", UNSURE),
}
# kinds whose question is about two places
TWO_PLACES = ("same spine", "one spine")
# kinds whose place a person gives, where others answer a question of the run
MARKS = ("missed spine", "missed synapse")
# how a question came to be asked: by what its answer is worth, by lot, by the person's own will, or from a table
DRAWN = ("active", "random", "by hand", "imported")
# answers this near to each other in um, along z weighted, are about the same thing in different runs
REACH_UM = {
    "spine": 0.6,
    "missed spine": 0.6,
    "same spine": 0.6,
    "synapse": 0.3,
    "missed synapse": 0.3,
    "link": 0.3,
    "segment": 0.3,
    "label": 0.1,
    "patch": 0.3,
    "one spine": 0.3,
}
# depth is known less well than the plane in two-photon stacks (`spinome.twophoton.correspond`)
Z_WEIGHT = {"spine": 0.3, "missed spine": 0.3, "same spine": 0.3}
# so many files are joined to one when a table is opened for writing
MANY_FILES = 200
SUFFIX = ".parquet"


class Answers:
    """The answers of a study; reading again reads only what is new.

    Parameters
    ----------
    folder : made with the first answer
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._read: dict[str, pyarrow.Table] = {}
        self._rows: tuple[list[str], pd.DataFrame] = ([], _typed([]))
        if self.folder.is_file():
            raise ValueError(
                f"{self.folder}: is a file, where answers are a folder of Parquet files; move it away, or name another "
                "place in review.answers"
            )

    def append(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Write one answer to the disk and return it as written.

        Parameters
        ----------
        row : values of `ANSWER_COLUMNS`; `time` is given here, and `answer_id` where it is left out; an answer that may
            be sent twice brings one along and counts once. Other values that are left out are empty

        Raises
        ------
        ValueError: if the answer is none that its kind takes, has no place or does not say who gave it.
        OSError: if it could not be written, as on a full disk; nothing is left behind.
        """
        return self.append_all([row])[0]

    def append_all(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """As `append`, of many answers in one file: all are written or none."""
        for row in rows:
            _check(row)
        now = pd.Timestamp.now(tz="UTC").floor("us")
        # a microsecond apart, which keeps their order
        times = [now + pd.Timedelta(number, "us") for number in range(len(rows))]
        full = [{"answer_id": uuid.uuid4().hex, **row, "time": moment} for row, moment in zip(rows, times)]
        if full:
            self._write(pyarrow.Table.from_pandas(_typed(full), preserve_index=False))
        return full

    def read(self) -> pd.DataFrame:
        """All rows, also those that were replaced, in the order of their times (`ANSWER_COLUMNS`).

        Raises
        ------
        DamagedError: if a file cannot be read; the message names it.
        """
        while True:
            names = sorted(entry.name for entry in self._entries())
            try:
                for name in names:
                    if name not in self._read:
                        self._read[name] = _open(self.folder / name)
                break
            except FileNotFoundError:
                # joined to another file by another process while this one looked; what it holds is there
                continue
        if names != self._rows[0]:
            self._read = {name: self._read[name] for name in names}
            rows = pyarrow.concat_tables(self._read.values()).to_pandas().astype(ANSWER_COLUMNS)
            # one that was sent twice counts as what was sent first
            rows = rows.sort_values(["time", "answer_id"], kind="stable").drop_duplicates("answer_id")
            self._rows = (names, rows.reset_index(drop=True))
        return self._rows[1]

    def join(self) -> None:
        """Join the files of a table of many to one. Safe beside writers, and beside others that join."""
        if len(self._entries()) < MANY_FILES:
            return
        rows = self.read()
        joined = list(self._read)
        # a file goes only after its rows are in another that is whole and on the disk
        self._write(pyarrow.Table.from_pandas(rows, preserve_index=False))
        for name in joined:
            (self.folder / name).unlink(missing_ok=True)

    def _entries(self) -> list[os.DirEntry]:
        if not self.folder.is_dir():
            return []
        with os.scandir(self.folder) as entries:
            return [entry for entry in entries if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")]

    def _write(self, table: pyarrow.Table) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        name = f"{time.time_ns()}-{uuid.uuid4().hex[:12]}{SUFFIX}"
        part = self.folder / f".{name}.part"
        try:
            with part.open("wb") as stream:
                pyarrow.parquet.write_table(table, stream)
                stream.flush()
                os.fsync(stream.fileno())
            part.rename(self.folder / name)
        except OSError as error:
            raise OSError(f"{self.folder}: the answer could not be written ({error.strerror or error})") from error
        finally:
            part.unlink(missing_ok=True)
        # the name, too, must outlive a loss of power
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _open(path: Path) -> pyarrow.Table:
    try:
        table = pyarrow.parquet.read_table(path)
    except FileNotFoundError:
        raise
    except (OSError, pyarrow.ArrowException) as error:
        raise DamagedError(path, f"cannot be read as answers ({error}); move it out of the folder") from error
    for name in LATER:
        if name not in table.column_names:
            none = "" if ANSWER_COLUMNS[name] == "string" else None
            table = table.append_column(name, pyarrow.array([none] * len(table), SCHEMA.field(name).type))
    missing = [name for name in ANSWER_COLUMNS if name not in table.column_names]
    if missing:
        raise DamagedError(path, f"is no table of answers, it lacks {missing[0]}; move it out of the folder")
    return table.select(list(ANSWER_COLUMNS)).cast(SCHEMA)


def _typed(rows: list[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows).reindex(columns=list(ANSWER_COLUMNS)).astype(ANSWER_COLUMNS)
    text = [name for name, kind in ANSWER_COLUMNS.items() if kind == "string"]
    frame[text] = frame[text].fillna("")
    return frame


SCHEMA = pyarrow.Schema.from_pandas(_typed([{"answer_id": "a"}]), preserve_index=False).remove_metadata()


def _check(row: Mapping[str, Any]) -> None:
    if unknown := set(row) - set(ANSWER_COLUMNS):
        raise ValueError(f"an answer has no column {sorted(unknown)[0]}")
    for name, kind in ANSWER_COLUMNS.items():
        if kind == "string" and not isinstance(row.get(name, ""), str):
            raise ValueError(f"{name} of an answer is text, not {row[name]!r}")
    kind, answer = row.get("kind"), row.get("answer")
    if kind not in ANSWERS:
        raise ValueError(f"no question is of the kind {kind!r}; there are {', '.join(ANSWERS)}")
    # empty takes an earlier answer back
    if answer not in ANSWERS[kind] and not (answer == "" and row.get("replaces")):
        raise ValueError(f"{answer!r} is no answer to a question of the kind '{kind}'; {', '.join(ANSWERS[kind])} are")
    if answer == "shaft" and kind == "link" and row.get("chosen") is None:
        raise ValueError("an answer 'shaft' must say which one, in `chosen`")
    if row.get("extent"):
        if answer not in ("synapse", "missed synapse"):
            raise ValueError(f"an extent is that of a synapse, and not of the answer {answer!r}")
        read_extent(row["extent"])
    seen = row.get("seen_z_um")
    if seen is not None and not pd.isna(seen) and (answer not in ("spine", "missed spine") or np.isinf(seen)):
        raise ValueError(f"seen_z_um is the depth of a spine, and not {seen!r} of the answer {answer!r}")
    if not row.get("who", "").strip():
        raise ValueError("an answer must say who gave it")
    if row.get("drawn") not in DRAWN:
        raise ValueError(f"an answer is drawn {', '.join(DRAWN)}, not {row.get('drawn')!r}")
    place = [row.get(axis) for axis in POSITION]
    if kind in TWO_PLACES:
        place += [row.get(axis) for axis in NEXT]
    if any(value is None or not np.isfinite(value) for value in place):
        raise ValueError("an answer must have a place: z_um, y_um and x_um, and next_* of two spines")


def standing(rows: pd.DataFrame) -> pd.DataFrame:
    """The answers that hold: those not replaced, and of one person's at exactly one place the latest.

    Parameters
    ----------
    rows : `ANSWER_COLUMNS` in the order of their times
    """
    kept = rows[~rows["answer_id"].isin(rows.loc[rows["replaces"] != "", "replaces"])]
    kept = kept[kept["answer"] != ""]
    # the other place of a link is that of the shaft, which is the answer and not the question
    asked = kept.assign(**{axis: kept[axis].where(kept["kind"].isin(TWO_PLACES)) for axis in NEXT})
    again = asked.duplicated(["who", "kind", "unit", "next_unit", *POSITION, *NEXT], keep="last")
    return kept[~again].reset_index(drop=True)


def match(questions: pd.DataFrame, answers: pd.DataFrame) -> np.ndarray:
    """Row of the question that each answer (N,) is about, found by place; -1 where none lies within `REACH_UM`.

    Numbers change with keys and models, and places hardly do. An answer goes to the nearest question of its kind
    and unit; one with two places to that for which the farther of the two is nearest. A spine that was seen in
    another slice than it was asked about is found at either depth, since heads are brought to the depth where they
    are seen.

    Parameters
    ----------
    questions : at least `kind unit`, `POSITION`, `next_unit`, `NEXT`
    answers : `ANSWER_COLUMNS`
    """
    found = np.full(len(answers), -1)
    key = ["kind", "unit", "next_unit"]
    asked = questions.groupby(key).indices
    for group, rows in answers.groupby(key).indices.items():
        there = asked.get(group)
        if there is None:
            continue
        for row, near in zip(rows, _near(answers.iloc[rows], questions.iloc[there], group[0])):
            if near:
                found[row] = there[min(near)[-1]]
    return found


def _near(first: pd.DataFrame, second: pd.DataFrame, kind: str) -> list[list[tuple[float, int, int]]]:
    """For each row of `first` those of `second` within reach: their distance, of two places the greater one, how many
    of both are taken at the depth at which they were seen, and the row. The place that was asked about goes first where
    two are as near."""
    weight = np.array([Z_WEIGHT.get(kind, 1.0), 1.0, 1.0])
    ends = [POSITION, NEXT] if kind in TWO_PLACES else [POSITION]
    out: list[list[tuple[float, int, int]]] = [[] for _ in range(len(first))]
    for (moved, one), (also, another) in itertools.product(enumerate(_depths(first)), enumerate(_depths(second))):
        here, there = ([frame[columns].to_numpy(float) * weight for columns in ends] for frame in (one, another))
        for row, near in enumerate(cKDTree(there[0]).query_ball_point(here[0], REACH_UM[kind])):
            apart = [max(float(np.linalg.norm(a[row] - b[other])) for a, b in zip(here, there)) for other in near]
            within = [(far, moved + also, other) for far, other in zip(apart, near) if far <= REACH_UM[kind]]
            out[row].extend(within)
    return out


def _depths(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows where they were asked about and, where some were seen in another slice, those in that one."""
    if "seen_z_um" not in frame or frame["seen_z_um"].isna().all():
        return [frame]
    return [frame, frame.assign(z_um=frame["seen_z_um"].fillna(frame["z_um"]))]


def things(answers: pd.DataFrame) -> np.ndarray:
    """Number (N,) of the thing that each answer is about: answers of several people or runs to one question share it.

    Two answers of one person in one run are about two things, however near they lie.

    Parameters
    ----------
    answers : of `standing`
    """
    number = np.full(len(answers), -1)
    count = 0
    for (kind, _, _), rows in answers.groupby(["kind", "unit", "next_unit"], sort=False).indices.items():
        own = answers.iloc[rows]
        near = _near(own, own, kind)
        taken: dict[int, set[tuple[str, str]]] = {}
        runs = own["provenance"].tolist()
        for row, (who, run) in enumerate(zip(own["who"], runs)):
            # within one run places are exact, and a head that was seen deeper is still what was asked about
            before = [
                (far, seen, int(number[rows[other]]))
                for far, seen, other in near[row]
                if other < row and not (seen and runs[other] == run)
            ]
            earlier = [one for one in before if (who, run) not in taken[one[-1]]]
            if earlier:
                number[rows[row]] = min(earlier)[-1]
            else:
                number[rows[row]] = count
                count += 1
            taken.setdefault(number[rows[row]], set()).add((who, run))
    return number


def agreed(answers: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """One answer for each thing, the latest of those who agree; things that people disagree about are left out.

    Parameters
    ----------
    answers : of `standing`

    Returns
    -------
    rows of `answers`, those of `UNSURE` left out, and how many things people disagree about
    """
    sure = answers[answers["answer"] != UNSURE].reset_index(drop=True)
    sure = sure.assign(thing=things(sure)).drop_duplicates(["thing", "who"], keep="last")
    # who agrees without painting an extent anew, or without moving to a slice, leaves them as they are
    told = sure.assign(extent=sure["extent"].replace("", pd.NA)).groupby("thing")[list(LATER)].ffill()
    sure = sure.assign(extent=told["extent"].fillna(""), seen_z_um=told["seen_z_um"])
    said = sure["answer"] + " " + sure["chosen"].astype("string").fillna("")
    differs = said.groupby(sure["thing"]).transform("nunique") > 1
    kept = sure[~differs].drop_duplicates("thing", keep="last").drop(columns="thing")
    return kept.reset_index(drop=True), int(sure.loc[differs, "thing"].nunique())


def candidates_said(answers: pd.DataFrame, kind: str) -> pd.DataFrame:
    """What people agree on about candidates: answers of a kind, "spine" or "synapse", and what they marked as missed.

    Parameters
    ----------
    answers : of `standing`
    """
    missed = f"missed {kind}"
    kept = answers[answers["kind"].isin([kind, missed])]
    return agreed(kept.assign(kind=kind, answer=kept["answer"].replace(missed, kind)))[0]


def agreement(answers: pd.DataFrame) -> pd.DataFrame:
    """How far each two people agree on what both of them answered.

    Parameters
    ----------
    answers : of `standing`

    Returns
    -------
    frame `kind first second both same kappa`, a row for each kind and pair with something in common: how many
        things both answered, how many alike, and Cohen's kappa (1960), empty where each gave one and the same answer
        throughout
    """
    sure = answers[answers["answer"] != UNSURE].reset_index(drop=True)
    said = sure["answer"] + " " + sure["chosen"].astype("string").fillna("")
    frame = sure[["kind", "who"]].assign(thing=things(sure), said=said).drop_duplicates(["thing", "who"], keep="last")
    out = []
    for kind, rows in frame.groupby("kind"):
        wide = rows.pivot(index="thing", columns="who", values="said")
        people = sorted(wide.columns)
        for place, first in enumerate(people):
            for second in people[place + 1 :]:
                both = wide[[first, second]].dropna()
                if both.empty:
                    continue
                several = both.stack().nunique() > 1
                kappa = float(cohen_kappa_score(both[first], both[second])) if several else np.nan
                out.append((kind, first, second, len(both), int((both[first] == both[second]).sum()), kappa))
    return pd.DataFrame(out, columns=["kind", "first", "second", "both", "same", "kappa"])
