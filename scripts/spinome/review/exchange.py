"""Answers as the tables that a run takes, and those tables as answers.

Of two people who disagree about a thing neither is followed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from spinome.columns import POSITION
from spinome.linking.measure import INSIDE
from spinome.linking.proofread import DECISION_COLUMNS
from spinome.linking.typing import TYPE_COLUMNS, TYPES
from spinome.neurons.spines import PAIR_PLACES
from spinome.review.answers import NEXT, match
from spinome.review.questions import NM_PER_UM
from spinome.twophoton.corrections import CORRECTION_COLUMNS

SEGMENT_TYPE_COLUMNS = ["volume", *TYPE_COLUMNS]
POINT_COLUMNS = ["x_nm", "y_nm", "z_nm", "tag"]
# the label at a place (z, y, x) in um of a volume, 0 where there is none
LabelAt = Callable[[str, np.ndarray], int]
# the place on the surface of a neuron that is nearest to a place, both (z, y, x) in um
OnSurface = Callable[[str, np.ndarray], np.ndarray]


def corrections_of(answers: pd.DataFrame, questions: pd.DataFrame) -> pd.DataFrame:
    """Corrections of two-photon series (`twophoton.track.corrections`).

    A spine that a person confirms is written as one that was missed, which keeps it when a threshold changes. What a
    person calls no spine is written where the run has a spine there, and not where it has none: the row would take out
    a neighbour.

    Parameters
    ----------
    answers : of `spinome.review.answers.agreed`
    questions : of the run to be corrected, which say what it has at the place of an answer now

    Returns
    -------
    frame with `CORRECTION_COLUMNS`
    """
    kept = answers[answers["kind"].isin(["spine", "missed spine", "same spine"])].reset_index(drop=True)
    asked = questions[questions["kind"].isin(["spine", "same spine"])].reset_index(drop=True)
    found = match(asked, kept)
    now = np.where(found >= 0, asked["now"].reindex(found).to_numpy(), kept["now"].to_numpy())
    decision = kept["answer"].replace({"spine": "missed spine"})
    # a run finds at its depth what was asked about when heads lay elsewhere
    there = (found >= 0) & (kept["kind"] == "spine").to_numpy(bool)
    kept.loc[there, "z_um"] = asked["z_um"].to_numpy(float)[found[there]]
    kept = kept.assign(decision=decision)[(kept["answer"] != "no spine") | (now == "spine")]
    names = kept["unit"].str.split(".", expand=True, regex=False).reindex(columns=range(3))
    out = kept.assign(**dict(zip(["specimen", "field", "timepoint"], (names[place] for place in range(3)))))
    out["next_timepoint"] = pd.array([name.rpartition(".")[2] or pd.NA for name in out["next_unit"]], "string")
    return out.reindex(columns=CORRECTION_COLUMNS).round(4).reset_index(drop=True)


def decisions_of(answers: pd.DataFrame, label_at: LabelAt) -> tuple[pd.DataFrame, int]:
    """Decisions on links (`linking.proofread.decisions`), with the numbers that orphans and shafts have now.

    Parameters
    ----------
    answers : of `spinome.review.answers.agreed`
    label_at : of the segmentation of the run

    Returns
    -------
    frame with `DECISION_COLUMNS`, and how many answers name a place at which there is no segment any more
    """
    kept = answers[answers["kind"] == "link"]
    rows, gone = [], 0
    for row in kept[["unit", "answer", *POSITION, *NEXT]].to_dict("records"):
        orphan = label_at(row["unit"], np.array([row[axis] for axis in POSITION]))
        linked = row["answer"] == "shaft"
        shaft = label_at(row["unit"], np.array([row[axis] for axis in NEXT])) if linked else 0
        if orphan == 0 or (linked and shaft in (0, orphan)):
            gone += 1
        else:
            rows.append((row["unit"], orphan, shaft))
    return pd.DataFrame(rows, columns=DECISION_COLUMNS).drop_duplicates(ignore_index=True), gone


def segment_types_of(answers: pd.DataFrame, label_at: LabelAt) -> tuple[dict[str, pd.DataFrame], int]:
    """Types of segments of each volume that has answers (`truth_types` of the sheet of volumes), with today's numbers.

    Parameters
    ----------
    answers : of `spinome.review.answers.agreed`
    label_at : of the segmentation of the run

    Returns
    -------
    frames `volume segment type`, and how many answers name a place at which there is no segment any more, or one of
    which another says otherwise
    """
    kept = answers[answers["kind"] == "segment"]
    places = zip(kept["unit"], kept[POSITION].to_numpy(float))
    own = kept["unit"].to_numpy(), [label_at(unit, place) for unit, place in places], kept["answer"].to_numpy()
    table = pd.DataFrame(dict(zip(SEGMENT_TYPE_COLUMNS, own))).astype({"segment": "int64"})
    one = table.groupby(["volume", "segment"])["type"].transform("nunique") == 1
    taken = (table["segment"] != 0) & one
    there = table[taken].drop_duplicates(["volume", "segment"])
    tables = {str(name): rows.reset_index(drop=True) for name, rows in there.groupby("volume")}
    return tables, int((~taken).sum())


def from_segment_types(types: pd.DataFrame, segments: Mapping[str, pd.DataFrame], who: str) -> list[dict[str, Any]]:
    """Answers of a table of types of segments, at the places of the segments that it names.

    Parameters
    ----------
    types : `SEGMENT_TYPE_COLUMNS`
    segments : as `from_decisions` takes them

    Raises
    ------
    ValueError: if a row names a segment that is not there, or a type that is none; the message names it.
    """
    places, out = _places_in(segments), []
    for volume, segment, kind in types[SEGMENT_TYPE_COLUMNS].itertuples(index=False):
        if kind not in TYPES:
            raise ValueError(f"{kind!r} is no type of a segment; there are {', '.join(TYPES)}; correct its row")
        if int(segment) not in places.get(str(volume), {}):
            raise ValueError(f"types name {segment}, which is no segment of {volume}; take out its row")
        answer = {"kind": "segment", "unit": str(volume), "subject": int(segment), "answer": str(kind)}
        out.append(answer | _imported(who) | dict(zip(POSITION, map(float, places[str(volume)][int(segment)]))))
    return out


def _places_in(segments: Mapping[str, pd.DataFrame]) -> dict[str, dict[int, np.ndarray]]:
    """A place (z, y, x) in um within each segment of each volume."""
    return {
        volume: dict(zip(frame["segment"].tolist(), frame[list(INSIDE)].to_numpy(float) / NM_PER_UM))
        for volume, frame in segments.items()
    }


def labels_of(answers: pd.DataFrame, on_surface: OnSurface) -> dict[str, pd.DataFrame]:
    """Truth of each neuron that has answers, as points (`truth_labels` of the sheet of neurons): `POINT_COLUMNS`.

    Parameters
    ----------
    on_surface : of the meshes of the neurons; the point of a patch is where its mark was shown
    """
    kept = answers[answers["kind"].isin(["label", "patch"])]
    out = {}
    for neuron, rows in kept.groupby("unit"):
        place = rows[POSITION].to_numpy(float)
        for row in np.flatnonzero(rows["kind"] == "patch"):
            place[row] = on_surface(str(neuron), place[row])
        place = place * NM_PER_UM
        points = dict(zip(["z_nm", "y_nm", "x_nm"], place.T.round(3)))
        out[str(neuron)] = pd.DataFrame(points).assign(tag=rows["answer"].to_numpy())[POINT_COLUMNS]
    return out


def spine_decisions_of(answers: pd.DataFrame) -> pd.DataFrame:
    """Decisions on pairs of places of neurons, one spine or two (`neurons.spines.decisions`).

    Parameters
    ----------
    answers : of `spinome.review.answers.agreed`

    Returns
    -------
    frame `neuron`, `spinome.neurons.spines.PAIR_PLACES` and `decision`
    """
    kept = answers[answers["kind"] == "one spine"]
    places = kept[[*POSITION, *NEXT]].to_numpy(float) * NM_PER_UM
    out = pd.DataFrame(places.round(3), columns=PAIR_PLACES).assign(decision=kept["answer"].to_numpy())
    out.insert(0, "neuron", kept["unit"].to_numpy())
    return out


def from_spine_decisions(decisions: pd.DataFrame, who: str) -> list[dict[str, Any]]:
    """Answers of a table of decisions on pairs of places of neurons (`spinome.neurons.spines.read_decisions`)."""
    places = decisions[PAIR_PLACES].to_numpy(float) / NM_PER_UM
    said = {"kind": "one spine", **_imported(who)}
    return [
        {**said, "unit": str(neuron), "answer": str(decision), **dict(zip([*POSITION, *NEXT], map(float, place)))}
        for neuron, decision, place in zip(decisions["neuron"], decisions["decision"], places)
    ]


def from_corrections(corrections: pd.DataFrame, who: str) -> list[dict[str, Any]]:
    """Answers of a table of corrections; rows without a decision are passed over.

    Parameters
    ----------
    corrections : `CORRECTION_COLUMNS`
    """
    out = []
    for row in corrections[corrections["decision"].notna() & (corrections["decision"] != "")].to_dict("records"):
        series = f"{row['specimen']}.{row['field']}"
        decision = str(row["decision"])
        pair = decision in ("same", "different")
        kind = "same spine" if pair else "missed spine" if decision == "missed spine" else "spine"
        answer = {"kind": kind, "unit": f"{series}.{row['timepoint']}", "answer": decision, **_imported(who)}
        answer |= {axis: float(row[axis]) for axis in POSITION}
        if pair:
            answer |= {axis: float(row[axis]) for axis in NEXT} | {"next_unit": f"{series}.{row['next_timepoint']}"}
        # a person says so of what the run shows as a spine
        out.append(answer | ({"now": "spine"} if decision == "no spine" else {}))
    return out


def from_decisions(decisions: pd.DataFrame, segments: Mapping[str, pd.DataFrame], who: str) -> list[dict[str, Any]]:
    """Answers of a table of decisions, at the places of the segments that it names.

    Parameters
    ----------
    decisions : `DECISION_COLUMNS`
    segments : by volume, `segment` and the place within it (`spinome.linking.typing.measure_segments`)

    Raises
    ------
    ValueError: if a decision names a segment that is not there; the message names it.
    """
    places, out = _places_in(segments), []
    for volume, orphan, shaft in decisions[DECISION_COLUMNS].itertuples(index=False):
        known = places.get(str(volume), {})
        for segment in (orphan, shaft):
            if segment and int(segment) not in known:
                raise ValueError(f"decisions name {segment}, which is no segment of {volume}; take out its row")
        answer = {"kind": "link", "unit": str(volume), "subject": int(orphan), **_imported(who)}
        answer |= dict(zip(POSITION, map(float, known[int(orphan)])))
        answer["answer"] = "shaft" if shaft else "none of them"
        if shaft:
            answer |= dict(zip(NEXT, map(float, known[int(shaft)]))) | {"chosen": int(shaft)}
        out.append(answer)
    return out


def from_labels(points: pd.DataFrame, neuron: str, who: str) -> list[dict[str, Any]]:
    """Answers of the truth of a neuron as points; tags that are none of soma, shaft and spine are passed over.

    Parameters
    ----------
    points : `POINT_COLUMNS`
    """
    kept = points[points["tag"].isin(["soma", "shaft", "spine"])]
    place = kept[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / NM_PER_UM
    return [
        {"kind": "label", "unit": neuron, "answer": str(tag), **dict(zip(POSITION, map(float, own))), **_imported(who)}
        for tag, own in zip(kept["tag"], place)
    ]


def _imported(who: str) -> dict[str, str]:
    return {"who": who, "drawn": "imported", "provenance": "imported"}
