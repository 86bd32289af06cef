"""What to ask a person about the results of a run, in the order of what the answers are worth.

A question has a place, by which its answer is found again, and what the run says now. Its `worth` is what an answer
mends in expectation: for a thing alone the chance that the run has it wrong, for a link the pairs of synapses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from spinome.columns import POSITION
from spinome.review.answers import NEXT, UNSURE, match
from spinome.seeds import number_of

QUESTION_COLUMNS = {
    "kind": "string",
    "unit": "string",
    **dict.fromkeys(POSITION, "float64"),
    "next_unit": "string",
    **dict.fromkeys(NEXT, "float64"),
    "subject": "Int64",
    "now": "string",
    "chosen": "Int64",
    "candidates": "string",
    "probability": "float64",
    "worth": "float64",
    "counted": "bool",
    "provenance": "string",
}
# one question in so many is drawn by lot
ONE_RANDOM_IN = 4
# questions of one cube of this edge in um say much the same: each further one of it counts half
CELL_UM = {
    "spine": 15.0,
    "same spine": 15.0,
    "track": 15.0,
    "synapse": 2.0,
    "link": 2.0,
    "segment": 2.0,
    "label": 10.0,
    "patch": 10.0,
    "one spine": 10.0,
}
HALF = 0.5
NM_PER_UM = 1000.0
# a candidate this improbable is not worth a look
LEAST = 0.02
LEVEL = 0.95
# a track of one link is a question about two sessions
LEAST_LINKS = 2


@dataclass(frozen=True)
class Accuracy:
    """Share of what the run says that a person confirms, by the answers to questions drawn by lot, and its interval."""

    right: int
    answered: int
    of: int
    value: float
    low: float
    high: float


def spine_questions(judged: pd.DataFrame, provenance: str, least: float = LEAST) -> pd.DataFrame:
    """Whether each candidate of a series is a spine.

    Parameters
    ----------
    judged : what `twophoton_judge` writes: `specimen field timepoint candidate z_um y_um x_um score accepted`;
        those that are neither accepted nor score `least` are not asked about
    provenance : what tells this result from another
    """
    kept = judged[judged["accepted"] | (judged["score"] >= least)]
    said = kept["accepted"].to_numpy(bool)
    score = kept["score"].to_numpy(float).clip(0, 1)
    return _table(
        kept,
        kind="spine",
        unit=_stack(kept, kept["timepoint"]),
        subject=kept["candidate"],
        now=np.where(said, "spine", "no spine"),
        probability=np.where(said, score, 1 - score),
        worth=np.where(said, 1 - score, score),
        # what is counted is what the run calls a spine: the share that is one is its precision
        counted=said,
        provenance=provenance,
    )


def lost_questions(form: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """Whether a spine was missed where one that was there before should be.

    Parameters
    ----------
    form : what `spinome.twophoton.review.review_form` makes of a series
    """
    lost = form[form["question"].str.startswith("missed spine")]
    score = lost["probability"].to_numpy(float).clip(0, 1)
    return _table(
        lost,
        kind="spine",
        unit=_stack(lost, lost["timepoint"]),
        now="no spine",
        probability=1 - score,
        worth=score,
        counted=False,
        provenance=provenance,
    )


def track_questions(spines: pd.DataFrame, links: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """Whether two spines of two sessions are the same.

    Parameters
    ----------
    spines, links : tables of the two-photon branch; links that a person made or confirmed are not asked about
    """
    series = ["specimen", "field", "spine", "timepoint"]
    there = spines[[*series, *POSITION]].astype({"timepoint": str})
    after = there.rename(columns={"timepoint": "next_timepoint", **dict(zip(POSITION, NEXT))})
    open_links = links[~links["corrected"].to_numpy(bool)].astype({"timepoint": str, "next_timepoint": str})
    both = open_links.merge(there, on=series).merge(after, on=[*series[:3], "next_timepoint"])
    probability = both["probability"].to_numpy(float).clip(0, 1)
    return _table(
        both,
        kind="same spine",
        unit=_stack(both, both["timepoint"]),
        next_unit=_stack(both, both["next_timepoint"]),
        subject=both["spine"],
        now="same",
        probability=probability,
        worth=1 - probability,
        counted=True,
        provenance=provenance,
    )


def whole_track_questions(spines: pd.DataFrame, links: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """Whether a spine that is seen in three or more sessions is the same in all of them.

    A question about a whole track asks about its links at once: what is answered are those (`track_questions`).

    Parameters
    ----------
    spines, links : as of `track_questions`; tracks whose links a person made or confirmed are not asked about
    """
    track = ["specimen", "field", "spine"]
    there = spines[[*track, "timepoint", *POSITION]].astype({"timepoint": str})
    open_links = links[~links["corrected"].to_numpy(bool)].groupby(track)["probability"].prod().clip(0, 1)
    chosen = links.groupby(track).size()
    chosen = chosen[chosen >= LEAST_LINKS].index.intersection(open_links.index)
    ends = there.set_index(track).loc[chosen].groupby(level=track, sort=True)
    first, last = ends.first().reset_index(), ends.last().reset_index()
    probability = open_links.loc[pd.MultiIndex.from_frame(first[track])].to_numpy(float)
    both = first.assign(**dict(zip(NEXT, last[POSITION].to_numpy(float).T)))
    return _table(
        both,
        kind="track",
        unit=_stack(both, both["timepoint"]),
        next_unit=_stack(last, last["timepoint"]),
        subject=both["spine"],
        now="one spine",
        probability=probability,
        worth=1 - probability,
        # its links are counted already
        counted=False,
        provenance=provenance,
    )


def synapse_questions(candidates: pd.DataFrame, provenance: str, least: float = LEAST) -> pd.DataFrame:
    """Whether each candidate is a synapse.

    Parameters
    ----------
    candidates : `volume` and `spinome.synapses.objects.merge.OBJECT_COLUMNS`, those that were detected; of those that
        the run drops `synapse` is 0, and they are asked about where they score `least`
    """
    # where the model does not judge candidates, the mean probability of their voxels has to do
    score = candidates["probability"].fillna(candidates["score"]).clip(0, 1)
    kept = candidates[(candidates["synapse"] > 0) | (score >= least)]
    said, score = kept["synapse"].to_numpy() > 0, score[kept.index].to_numpy(float)
    return _table(
        _in_um(kept),
        kind="synapse",
        unit=kept["volume"],
        # a candidate that is dropped has no number
        subject=kept["synapse"].astype("Int64").where(said),
        now=np.where(said, "synapse", "no synapse"),
        probability=np.where(said, score, 1 - score),
        worth=np.where(said, 1 - score, score),
        # what is counted is what the run calls a synapse: the share that is one is its precision
        counted=said,
        provenance=provenance,
    )


def link_questions(queue: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """Which of its candidates each orphan belongs to.

    Parameters
    ----------
    queue : what `linking_proofread` writes: `volume`, `spinome.linking.proofread.QUEUE_COLUMNS` and `candidates`
    """
    linked = queue["linked_to"].to_numpy(np.int64)
    return _table(
        _in_um(queue),
        kind="link",
        unit=queue["volume"],
        subject=queue["orphan"],
        now=np.where(linked > 0, "shaft", "none of them"),
        chosen=pd.array(linked, "Int64"),
        candidates=queue["candidates"],
        probability=np.where(linked > 0, queue["probability"], queue["no_parent"]),
        worth=queue["worth"],
        counted=True,
        provenance=provenance,
    )


def segment_questions(volume: str, typed: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """What each segment is of those that the forest of types was asked about.

    Parameters
    ----------
    typed : `segment`, a place within it `z_nm y_nm x_nm`, and `type` and `p_<type>` of those whose shape was described;
        where no forest types segments it has neither
    """
    if "type" not in typed:
        return no_questions()
    known = typed[typed["type"].notna()]
    columns = [name for name in known if name.startswith("p_")]
    probability = known[columns].max(axis=1).to_numpy(float).clip(0, 1)
    return _table(
        _in_um(known),
        kind="segment",
        unit=np.full(len(known), volume),
        subject=known["segment"],
        now=known["type"],
        probability=probability,
        worth=1 - probability,
        counted=True,
        provenance=provenance,
    )


# columns of the synapses of neurons that questions about their labels are made of
LABEL_COLUMNS = ["source", "neuron", "id", "tag", "value", "z_nm", "y_nm", "x_nm"]


def label_questions(synapses: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """What each synapse of a neuron lies on.

    Parameters
    ----------
    synapses : what `neurons_tables` writes; synapses without a label are not asked about
    """
    kept = synapses[synapses["tag"].notna() & synapses[["z_nm", "y_nm", "x_nm"]].notna().all(axis=1)]
    value = kept["value"].to_numpy(float).clip(0, 1)
    return _table(
        _in_um(kept),
        kind="label",
        unit=kept["neuron"],
        subject=kept["id"],
        now=kept["tag"],
        probability=value,
        worth=1 - value,
        counted=True,
        provenance=provenance,
    )


def patch_questions(spines: pd.DataFrame, provenance: str) -> pd.DataFrame:
    """Whether the surface of each spine of a neuron is one.

    Parameters
    ----------
    spines : `spines.parquet` of the neurons branch
    """
    probability = spines["probability"].to_numpy(float).clip(0, 1)
    return _table(
        _in_um(spines),
        kind="patch",
        unit=spines["neuron"],
        subject=spines["spine"],
        now="spine",
        probability=probability,
        worth=1 - probability,
        counted=True,
        provenance=provenance,
    )


def pair_questions(pairs: pd.DataFrame, rise_nm: float, provenance: str) -> pd.DataFrame:
    """Whether two places of a neuron are on one spine or on two.

    The run is taken for right the more often the farther the rise is from the border: in half of all cases at the
    border itself, and in five of six where the rise is three times as high or as low.

    Parameters
    ----------
    pairs : `pairs.parquet` of the neurons branch (`spinome.neurons.spines.PAIR_COLUMNS`)
    rise_nm : the border
    """
    rise = pairs["rise_nm"].to_numpy(float)
    wrong = 0.5 * np.minimum(rise / rise_nm, rise_nm / np.maximum(rise, 1e-9))
    after = pairs[["next_z_nm", "next_y_nm", "next_x_nm"]].to_numpy(float) / NM_PER_UM
    return _table(
        _in_um(pairs).assign(**dict(zip(NEXT, after.T))),
        kind="one spine",
        unit=pairs["neuron"],
        subject=pairs["spine"],
        now=np.where(pairs["spine"] == pairs["next_spine"], "one", "two"),
        probability=1 - wrong,
        worth=wrong,
        counted=True,
        provenance=provenance,
    )


def _table(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    given = {name: frame[name].to_numpy(float) for name in [*POSITION, *NEXT] if name in frame}
    given |= {
        name: value.to_numpy() if isinstance(value, pd.Series) and value.dtype != "Int64" else value
        for name, value in columns.items()
    }
    given |= {name: value.array for name, value in given.items() if isinstance(value, pd.Series)}
    out = pd.DataFrame(given, index=range(len(frame))).reindex(columns=list(QUESTION_COLUMNS))
    text = [name for name, kind in QUESTION_COLUMNS.items() if kind == "string"]
    out[text] = out[text].astype("string").fillna("")
    return out.astype(QUESTION_COLUMNS)


def _stack(frame: pd.DataFrame, timepoint: pd.Series) -> pd.Series:
    return frame["specimen"].astype(str) + "." + frame["field"].astype(str) + "." + timepoint.astype(str)


def _in_um(frame: pd.DataFrame) -> pd.DataFrame:
    place = frame[["z_nm", "y_nm", "x_nm"]].to_numpy(float) / NM_PER_UM
    return frame.assign(**dict(zip(POSITION, place.T)))


def no_questions() -> pd.DataFrame:
    """A table of questions without any."""
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in QUESTION_COLUMNS.items()})


def lot(questions: pd.DataFrame, seed: int, counted: bool = True) -> np.ndarray:
    """Rows (M,) of the questions that are counted, or of the others, in an order that a lot by kind, unit and place
    decides, whoever answers."""
    rows = np.flatnonzero(questions["counted"].to_numpy(bool) == counted)
    places = questions[[*POSITION, *NEXT]].to_numpy(float)[rows].round(4).tolist()
    names = questions[["kind", "unit", "next_unit"]].to_numpy(object)[rows].tolist()
    drawn = [number_of(f"{seed} {name} {place}", 1 << 62) for name, place in zip(names, places)]
    return rows[np.argsort(drawn, kind="stable")] if len(rows) else rows


def by_worth(questions: pd.DataFrame) -> np.ndarray:
    """Rows (N,) by worth, spread over the data: of one cube of `CELL_UM` each further question counts half."""
    worth = questions["worth"].fillna(0.0).to_numpy(float)
    edge = questions["kind"].map(CELL_UM).fillna(1.0).to_numpy(float)[:, None]
    cube = np.floor(questions[POSITION].to_numpy(float) / edge)
    cells = pd.DataFrame(cube).assign(kind=questions["kind"].to_numpy(), unit=questions["unit"].to_numpy())
    order = np.argsort(-worth, kind="stable")
    place = np.empty(len(worth), int)
    place[order] = cells.iloc[order].groupby(list(cells.columns), sort=False).cumcount().to_numpy()
    return np.argsort(-worth * HALF**place, kind="stable")


def in_order(questions: pd.DataFrame, done: np.ndarray, seed: int) -> list[tuple[int, str]]:
    """The questions still to be asked: rows and how they were drawn, by lot one in `ONE_RANDOM_IN`.

    Parameters
    ----------
    questions : of one kind
    done : (N,) bool, answered already
    seed : of the lot
    """
    active = by_worth(questions)
    lots = [lot(questions, seed, counted) for counted in (True, False)]
    queues = [iter([row for row in order if not done[row]]) for order in (active, *lots)]
    out: list[tuple[int, str]] = []
    asked: set[int] = set()
    left = len(done) - int(done.sum())
    while len(out) < left:
        # the first question is by lot, so that an accuracy is known from the start; the others have their turns, too
        turn, rest = divmod(len(out), ONE_RANDOM_IN)
        wanted = [0] if rest else [1 + turn % 2, 2 - turn % 2, 0]
        for which in wanted:
            row = next((row for row in queues[which] if row not in asked), None)
            if row is not None:
                asked.add(row)
                out.append((int(row), "random" if which else "active"))
                break
    return out


def answered_by(questions: pd.DataFrame, answers: pd.DataFrame, who: str | None = None) -> pd.DataFrame:
    """The answer to each question that has one, the latest; of one person where `who` is given.

    Parameters
    ----------
    answers : of `spinome.review.answers.standing`

    Returns
    -------
    rows of `answers` indexed by the rows of `questions`
    """
    own = answers if who is None else answers[answers["who"] == who]
    found = match(questions, own)
    about = own[found >= 0].assign(question=found[found >= 0])
    return about.drop_duplicates("question", keep="last").set_index("question").sort_index()


def tracks_answered(tracks: pd.DataFrame, pairs: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """As `answered_by`, of whole tracks: those of whose links one is not the same, or all are answered.

    Parameters
    ----------
    tracks, pairs : questions of the kinds "track" and "same spine"
    answers : of `answered_by`, to `pairs`
    """
    said = answers["answer"].reindex(range(len(pairs)))
    group = [pairs["unit"].str.rpartition(".")[0], pairs["subject"]]
    done = said.notna().groupby(group).all() | (said == "different").fillna(False).groupby(group).any()
    own = pd.MultiIndex.from_arrays([tracks["unit"].str.rpartition(".")[0], tracks["subject"]])
    rows = np.flatnonzero(done.reindex(own, fill_value=False).to_numpy(bool))
    return pd.DataFrame({"answer": "", "chosen": pd.NA}, index=rows)


def sampled(questions: pd.DataFrame, answers: pd.DataFrame, seed: int, counted: bool = True) -> np.ndarray:
    """Rows (M,) of the questions from the start of the lot that are all answered: a random sample of them all.

    What a person is not sure of is left out.

    Parameters
    ----------
    answers : of `answered_by`
    counted : whether of the questions that are counted, or of the others
    """
    rows = lot(questions, seed, counted)
    open_ = np.flatnonzero(~np.isin(rows, answers.index.to_numpy(int)))
    first = rows[: open_[0]] if len(open_) else rows
    return first[answers.loc[first, "answer"].to_numpy() != UNSURE]


def accuracy(questions: pd.DataFrame, answers: pd.DataFrame, seed: int) -> Accuracy:
    """How much of what the run says a person confirms, without bias by the order of worth.

    The lot puts the counted questions into a random order. What counts are the questions from its start that are all
    answered, however they came to be asked; so those of greatest worth do not count twice as often as others. Wilson's
    interval (1927).

    Parameters
    ----------
    questions : of one kind
    answers : of `answered_by`
    """
    rows = sampled(questions, answers, seed)
    said = answers.loc[rows]
    now = questions.iloc[rows]
    same = said["answer"].to_numpy() == now["now"].to_numpy()
    # "no orphan" says of an orphan without a link that the run is right not to link it
    same |= (said["answer"].to_numpy() == "no orphan") & (now["now"].to_numpy() == "none of them")
    shafts = said["chosen"].fillna(0).to_numpy(np.int64) == now["chosen"].fillna(0).to_numpy(np.int64)
    same &= np.where(now["now"].to_numpy() == "shaft", shafts, True)
    right, count = int(same.sum()), len(rows)
    low, high = wilson(right, count)
    return Accuracy(right, count, int(questions["counted"].sum()), right / count if count else np.nan, low, high)


def wilson(right: int, count: int) -> tuple[float, float]:
    """Interval of 95 % of a share (Wilson 1927); NaN of none."""
    if not count:
        return float("nan"), float("nan")
    z = float(norm.ppf((1 + LEVEL) / 2))
    share = right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return float(middle - half), float(middle + half)
