"""Which spines are gone and which were only missed: gain, loss and detection, told apart by sessions that repeat.

A spine that is seen, missed and seen again says how often spines are missed; one that is never seen again is either
gone or missed from then on. A model of capture and recapture weighs the two. From the first session in which a spine
was seen it stays until it is lost; backward from the last it was there until, going back, it had not yet formed
(Cormack 1964, Jolly 1965, Seber 1965; time reversed, Pradel 1996). In each session in which it is there it is seen with
a probability of that session and that spine: its size, its depth and its contrast count as far as the series shows that
they do, and what else tells spines apart is a normal deviate that is integrated over. Tracking lets a spine go after a
few sessions without it, and looks for it no longer: so nothing is made of what lies beyond.

Some spines last and some are fleeting, and a spine that is often missed looks like one that lived for a session only.
So both are in the model: a share of the spines has higher odds of loss and of gain than the others, and the series
decides, as far as it can, how large that share is. A track counts as much as it is probable that it is a spine, by what
its candidates score alone: scores that the sessions around have had their say in hold it against a spine that it is
there in one session only, and turnover is made of such spines.

All rates are estimated together from the series at hand. Rates of its sessions are taken for alike, by weak priors, as
far as its data do not say otherwise.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.linalg import block_diag
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import chi2

# what may tell of a spine how well it is seen, as columns of the table of spines; the first and last in logarithms
COVARIATES = ("intensity_ratio_um2", "z_um", "signal_to_noise")
# fewer sessions than this cannot tell a miss from a loss
LEAST_SESSIONS = 3
# places at which the normal deviate of spines is integrated over, and their weights
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(7)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
# spines that last and spines that are fleeting, each at all of these places
LASTING = np.repeat([True, False], len(NODES))
NODES = np.tile(NODES, 2)
WEIGHTS = np.tile(WEIGHTS, 2)
# normal priors (mean, standard deviation) of logits: mean rate of loss and gain, mean probability of being seen; how
# far those of single sessions lie from the mean; the logarithm of the spread of spines. One spine of ten is lost and
# four of five are seen, give or take a factor of four. Of fleeting spines, one of five, two of three are gone by the
# next session, where of the others one of ten is: so much higher is the logit of their loss
RATE, SEEN, APART, SPREAD = (-2.2, 1.5), (1.5, 1.0), 0.7, (np.log(0.7), 0.25)
SHARE, FLEETING = (-1.4, 1.0), (2.9, 0.7)
DRAWS = 400
# the log odds of all scores of a series are off by this much in common (standard deviation): on dendrites that the
# judge had not seen they were off by 0.1 and -0.4, on simulated series by 0.3 and 0.5
SCORES_OFF = 0.4
# a spine of which less than this share is taken or seen counts for no more spines
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Presence:
    """What a series says of gain, loss and detection.

    Attributes
    ----------
    ratio, low, high : (T - 1,) turnover of each pair of sessions and its interval of 95 %
    seen : (T,) share of the spines there that were seen in each session
    tracks : (N,) spine of each row below
    seen_probability : (N, T) of being seen in a session, if there
    lost_probability, gained_probability : (N,) that the spine had gone by the session after its last, and had not been
        there in the session before its first; not a number where that session is not known
    """

    ratio: np.ndarray
    low: np.ndarray
    high: np.ndarray
    seen: np.ndarray
    tracks: np.ndarray
    seen_probability: np.ndarray
    lost_probability: np.ndarray
    gained_probability: np.ndarray


def presence(spines: pd.DataFrame, timepoints: Sequence[str], gap_sessions: int, seed: int = 0) -> Presence | None:
    """Estimate gain, loss and detection of the spines of a series; None with too few sessions or no spine.

    A candidate that may be none counts as much as it is probable, that is by the best `score_alone` of its track, or
    `score` where no other session had a say in it.

    Parameters
    ----------
    spines : frame `timepoint spine fate origin`, and where known `score score_alone corrected` and `COVARIATES`
    timepoints : sessions in order
    gap_sessions : sessions that a spine may be missed in and keep its id
    seed : of the draws that the intervals are from
    """
    if len(timepoints) < LEAST_SESSIONS or spines.empty:
        return None
    tracks, history = histories(spines, timepoints, gap_sessions)
    grouped = spines.groupby("spine")
    real = np.ones(len(tracks))
    if "score" in spines:
        score = spines["score_alone"].fillna(spines["score"]) if "score_alone" in spines else spines["score"]
        real = score.groupby(spines["spine"]).max().reindex(tracks).to_numpy(float).clip(0, 1)
    if "corrected" in spines:
        real = np.where(grouped["corrected"].any().reindex(tracks).to_numpy(bool), 1.0, real)
    return estimate(history, covariates(spines, tracks), real, tracks, seed, taken(spines, tracks))


def taken(spines: pd.DataFrame, tracks: np.ndarray) -> np.ndarray:
    """Share (N,) of spines such as each track that are taken for one, of those taken where the sessions around agree.

    What no other session supports must look the better by itself to be accepted (`spinome.twophoton.cross_session`). So
    a spine that is there for one session is held back more often than one that stays, by as much as scores alone are
    spread: their distribution is estimated from all sightings, each of which is known only above its own threshold
    (Lynden-Bell 1971).
    """
    out = np.ones(len(tracks))
    if "score_alone" not in spines:
        return out
    known = spines["score_alone"].notna()
    if "corrected" in spines:
        known &= ~spines["corrected"].astype(bool)
    own = spines[known]
    if own.empty:
        return out
    alone, agreed = (logit(own[name].to_numpy(float).clip(1e-6, 1 - 1e-6)) for name in ("score_alone", "score"))
    needed = agreed.min() - (agreed - alone)
    ordered = np.sort(alone)
    at_risk = np.searchsorted(np.sort(needed), ordered, side="right") - np.arange(len(ordered))
    above = np.append(1.0, np.cumprod(1 - 1 / np.maximum(at_risk, 2)))
    share = above[np.searchsorted(ordered, needed, side="left")]
    # sightings of one track support each other
    share = np.where(own["spine"].duplicated(keep=False), 1.0, share)
    out[np.searchsorted(tracks, own["spine"])] = share
    return out.clip(LEAST_SHARE, 1.0)


def histories(spines: pd.DataFrame, timepoints: Sequence[str], gap_sessions: int) -> tuple[np.ndarray, np.ndarray]:
    """Tracks (N,), and whether each was seen (1) or not (0) in each session (N, T), not a number where not known.

    Not known are sessions whose field does not show the place, and those in which tracking did not look any more.
    """
    number = {name: index for index, name in enumerate(timepoints)}
    session = spines["timepoint"].map(number).astype(int)
    tracks = np.sort(spines["spine"].unique())
    row = np.searchsorted(tracks, spines["spine"])
    history = np.full((len(tracks), len(timepoints)), np.nan)
    first = session.groupby(row).min().to_numpy()
    last = session.groupby(row).max().to_numpy()
    reach = np.arange(len(timepoints))
    early, late = np.full(len(tracks), gap_sessions + 1), np.full(len(tracks), gap_sessions + 1)
    early[row[(spines["origin"] == "out of field") & (session.to_numpy() == first[row])]] = 0
    late[row[(spines["fate"] == "out of field") & (session.to_numpy() == last[row])]] = 0
    history[(reach >= (first - early)[:, None]) & (reach <= (last + late)[:, None])] = 0.0
    history[row, session] = 1.0
    return tracks, history


def covariates(spines: pd.DataFrame, tracks: np.ndarray) -> np.ndarray:
    """Mean of each of `COVARIATES` over the sightings of each track, (N, C), in standard deviations."""
    columns = []
    for name in COVARIATES:
        if name not in spines:
            continue
        values = spines[name].astype(float)
        if name != "z_um":
            values = np.log(values.where(values > 0))
        own = values.groupby(spines["spine"]).mean().reindex(tracks).to_numpy()
        spread = np.nanstd(own) if np.isfinite(own).any() else 0.0
        if spread > 0:
            columns.append(np.nan_to_num((own - np.nanmean(own)) / spread))
    return np.column_stack(columns) if columns else np.zeros((len(tracks), 0))


def estimate(
    history: np.ndarray,
    x: np.ndarray,
    real: np.ndarray,
    tracks: np.ndarray,
    seed: int = 0,
    share: np.ndarray | None = None,
) -> Presence:
    """Fit the model, and draw what it may be off by for intervals (`_draws`).

    An interval begins at 0 where the data do not contradict, by a likelihood ratio at 5 %, that nothing changed between
    two sessions: a rate that is estimated on the logit scale is never 0 by itself.

    Parameters
    ----------
    history : (N, T) of `histories`
    x : (N, C) of `covariates`
    real : (N,) probability that the track is of a spine
    tracks : (N,) names of the rows
    share : (N,) of `taken`; each track stands for so many more
    """
    sessions = history.shape[1]
    share = np.ones(len(real)) if share is None else share
    count = real / share
    ends = [SPREAD[0], SHARE[0], FLEETING[0]]
    start = np.concatenate([np.full(2 * sessions - 2, RATE[0]), np.full(sessions, SEEN[0]), np.zeros(x.shape[1]), ends])
    point = minimize(
        lambda point: _surprise(point, history, x, count) + _prior(point, sessions, x.shape[1]),
        start,
        method="BFGS",
        options={"maxiter": 100, "gtol": 1e-2},
    ).x
    ratio = _turnover(point, history, x, count)
    with warnings.catch_warnings():
        # a draw without a spine in a pair of sessions says nothing of that pair; where all are so, nothing is known
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanpercentile(_draws(point, history, x, real, share, seed), [2.5, 97.5], axis=0)
    low, high = np.minimum(low, ratio), np.maximum(high, ratio)
    usual = _surprise(point, history, x, count)
    for pair in range(sessions - 1):
        still = point.copy()
        still[[pair, sessions - 1 + pair]] = -12.0
        if np.isfinite(high[pair]) and 2 * (_surprise(still, history, x, count) - usual) < chi2.ppf(0.95, 2):
            low[pair] = 0.0
    lost, gained, seen = _posterior(point, history, x)
    sighted = history == 1
    there = count[:, None] * sighted / np.maximum(seen, LEAST_SHARE)
    found = (real[:, None] * sighted).sum(axis=0) / np.maximum(there.sum(axis=0), 1e-9)
    return Presence(ratio, low, high, np.where(sighted.any(axis=0), found, np.nan), tracks, seen, lost, gained)


def _draws(
    point: np.ndarray, history: np.ndarray, x: np.ndarray, real: np.ndarray, share: np.ndarray, seed: int
) -> np.ndarray:
    """Turnover as it may be, (DRAWS, T - 1), given all that is uncertain of it.

    The likelihood takes each track twice, forward and backward, so that its curvature alone would say that twice as
    much is known. What a track teaches varies as its two slopes together do (Godambe 1960): each draw weighs the tracks
    anew, and the estimate takes one step to where they then put it. Which tracks are spines is drawn, too, by their
    scores, and by how far scores of a series may be off in common.
    """
    sessions = history.shape[1]
    count = real / share
    forward, backward = _slopes(point, history, x)
    slopes = forward + backward
    known = _precision(sessions, x.shape[1])
    curvature = known + (forward * count[:, None]).T @ forward + (backward * count[:, None]).T @ backward
    root = np.linalg.cholesky(known)
    rng = np.random.default_rng(seed)
    odds = logit(real.clip(1e-6, 1 - 1e-6))
    out = []
    for _ in range(DRAWS):
        likely = np.where(real < 1, expit(odds + SCORES_OFF * rng.standard_normal()), 1.0)
        spine = rng.random(len(real)) < likely
        weight = (spine + likely * (rng.exponential(size=len(real)) - 1)) / share
        pull = (weight - count) @ slopes + root @ rng.standard_normal(len(point))
        out.append(_turnover(point - np.linalg.solve(curvature, pull), history, x, spine / share))
    return np.array(out)


def _slopes(point: np.ndarray, history: np.ndarray, x: np.ndarray, step: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (N, P) of the surprise of each track, forward and backward, along each number of the model."""
    out = []
    for number in range(len(point)):
        move = np.eye(len(point))[number] * step
        high, low = (_each_way(point + sign * move, history, x) for sign in (1, -1))
        out.append((high - low) / (2 * step))
    forward, backward = np.moveaxis(np.array(out), 0, -1)
    return forward, backward


def _precision(sessions: int, count: int) -> np.ndarray:
    """Inverse covariance (P, P) of the priors."""
    blocks = []
    for length, (_, width) in ((sessions - 1, RATE), (sessions - 1, RATE), (sessions, SEEN)):
        mean = np.full((length, length), 1 / length)
        blocks.append(mean / (length * width**2) + (np.eye(length) - mean) / APART**2)
    blocks += [np.eye(count), *(np.eye(1) / width**2 for _, width in (SPREAD, SHARE, FLEETING))]
    return block_diag(*blocks)


def _split(point: np.ndarray, sessions: int, count: int) -> list[np.ndarray]:
    """Logits of loss and gain of each pair (T - 1,) and of being seen in each session (T,); slopes of covariates (C,);
    and (1,) each the logarithm of the spread of spines, and logits of the share of fleeting ones and of their rates
    above those of the others."""
    return np.split(point, np.cumsum([sessions - 1, sessions - 1, sessions, count, 1, 1]))


def _rates(point: np.ndarray, sessions: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loss and gain of each pair (T - 1, Q), and share of spines (Q,), at each of `NODES`."""
    loss, gain, *_, share, fleeting = _split(point, sessions, count)
    more = np.where(LASTING, 0.0, fleeting)
    shares = WEIGHTS * np.where(LASTING, expit(-share), expit(share))
    return expit(loss[:, None] + more), expit(gain[:, None] + more), shares


def _seen(point: np.ndarray, history: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Probability of being seen, (N, Q, T), for each spine at each of `NODES` in each session."""
    _, _, seen, slopes, spread, *_ = _split(point, history.shape[1], x.shape[1])
    return expit(seen + (x @ slopes)[:, None, None] + np.exp(spread) * NODES[None, :, None])


def _chain(history: np.ndarray, seen: np.ndarray, gone: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Likelihood (N, Q) of what follows the first sighting, and the part of it (N, Q) that is there at the last one, by
    the rates `gone` (T - 1, Q)."""
    sighted = history == 1
    first, last = sighted.argmax(axis=1), history.shape[1] - 1 - sighted[:, ::-1].argmax(axis=1)
    there, away = np.where((first == 0)[:, None], 1.0, np.zeros(seen.shape[:2])), np.zeros(seen.shape[:2])
    at_last = np.where((last == 0)[:, None], there, 0.0)
    for t in range(1, history.shape[1]):
        own = history[:, t][:, None]
        here = np.where(np.isnan(own), 1.0, np.where(own == 1, seen[..., t], 1 - seen[..., t]))
        stayed = there * (1 - gone[t - 1]) * here
        left = (away + there * gone[t - 1]) * (own != 1)
        there = np.where((first == t)[:, None], 1.0, np.where((first > t)[:, None], 0.0, stayed))
        away = np.where((first >= t)[:, None], 0.0, left)
        at_last = np.where((last == t)[:, None], there, at_last)
    return there + away, at_last


def _both_ways(point: np.ndarray, history: np.ndarray, x: np.ndarray) -> tuple:
    """Rates, probabilities of being seen, and `_chain` forward and backward."""
    rates = loss, gain, _ = _rates(point, history.shape[1], x.shape[1])
    seen = _seen(point, history, x)
    return rates, seen, _chain(history, seen, loss), _chain(history[:, ::-1], seen[..., ::-1], gain[::-1])


def _each_way(point: np.ndarray, history: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Negative logarithm of the likelihood of each track forward and backward, (2, N)."""
    (*_, shares), _, (forward, _), (backward, _) = _both_ways(point, history, x)
    return -np.log(np.maximum(np.stack([forward @ shares, backward @ shares]), 1e-300))


def _surprise(point: np.ndarray, history: np.ndarray, x: np.ndarray, count: np.ndarray) -> float:
    """Negative logarithm of the likelihood, forward and backward together, of tracks by how much they count."""
    return float(_each_way(point, history, x).sum(axis=0) @ count)


def _prior(point: np.ndarray, sessions: int, count: int) -> float:
    """Negative logarithm of the priors."""
    loss, gain, seen, slopes, *single = _split(point, sessions, count)
    out = float((slopes**2).sum())
    for value, (mean, width) in zip(single, (SPREAD, SHARE, FLEETING)):
        out += float((value[0] - mean) / width) ** 2
    for rates, (mean, width) in ((loss, RATE), (gain, RATE), (seen, SEEN)):
        out += ((rates.mean() - mean) / width) ** 2 + float(((rates - rates.mean()) ** 2).sum()) / APART**2
    return out / 2


def _posterior(point: np.ndarray, history: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each spine: that it was lost after its last and gained before its first sighting (N,), and its probability of
    being seen in each session (N, T)."""
    sessions = history.shape[1]
    (loss, gain, shares), seen, (forward, at_last), (backward, at_first) = _both_ways(point, history, x)
    weight = forward * backward * shares
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    sighted = history == 1
    first, last = sighted.argmax(axis=1), sessions - 1 - sighted[:, ::-1].argmax(axis=1)
    rows = np.arange(len(history))
    lost, gained = np.full((2, len(history)), np.nan)
    for out, chain, at, rate, edge, beside in (
        (lost, forward, at_last, loss, last, last + 1),
        (gained, backward, at_first, gain, first, first - 1),
    ):
        known = (beside >= 0) & (beside < sessions)
        known[known] = history[rows[known], beside[known]] == 0
        pair = np.minimum(edge, beside)[known]
        gone = at[known] * rate[pair] / np.maximum(chain[known], 1e-300)
        out[known] = (weight[known] * gone).sum(axis=1)
    return lost, gained, (seen * weight[..., None]).sum(axis=1)


def _turnover(point: np.ndarray, history: np.ndarray, x: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(lost + gained) / (there before + there after), (T - 1,)."""
    (loss, gain, shares), seen, (forward, _), (backward, _) = _both_ways(point, history, x)
    weight = forward * backward * shares
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    sighted = count[:, None] * (history == 1)
    there = np.einsum("nt,nq,nqt->qt", sighted, weight, 1 / np.maximum(seen, LEAST_SHARE))
    both = (there[:, :-1] + there[:, 1:]).sum(axis=0)
    changed = (there[:, :-1] * loss.T + there[:, 1:] * gain.T).sum(axis=0)
    return np.where(both > 0, changed / np.maximum(both, 1e-12), np.nan)


def with_presence(
    spines: pd.DataFrame, timepoints: Sequence[str], gap_sessions: int, found: Presence | None = None
) -> pd.DataFrame:
    """The spines of a series with what the model says of each, not a number where it says nothing.

    Parameters
    ----------
    spines : as `presence` takes them, with `dendrite`; those beside no dendrite, -1, are left out of the model
    timepoints, gap_sessions : see `presence`
    found : the model, where it is known already

    Returns
    -------
    `spines` with `seen_probability`, and where it is lost or gained in that session, `lost_probability` that it had
    gone by the next and `gained_probability` that it had not been there in the one before; the rest of 1 is that it was
    only missed
    """
    beside = spines["dendrite"] >= 0
    out = spines.assign(seen_probability=np.nan, lost_probability=np.nan, gained_probability=np.nan)
    found = found or presence(spines[beside], timepoints, gap_sessions)
    if found is None:
        return out
    own = out[beside]
    row = np.searchsorted(found.tracks, own["spine"])
    session = own["timepoint"].map({name: index for index, name in enumerate(timepoints)}).astype(int).to_numpy()
    out.loc[beside, "seen_probability"] = found.seen_probability[row, session]
    for column, values, end in (
        ("lost_probability", found.lost_probability, own["fate"] == "lost"),
        ("gained_probability", found.gained_probability, own["origin"] == "gained"),
    ):
        out.loc[beside, column] = np.where(end, values[row], np.nan)
    return out
