"""Figures of the twophoton branch: spines in their projections, tracks through time, scores, turnover and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import tifffile
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from scipy.spatial import cKDTree

from spinome.colours import COLOURS
from spinome.report.dynamics import draw_size_changes, draw_survival, draw_turnover
from spinome.report.film_strips import FRAME_UM, MOST, draw_strips
from spinome.report.scale_bar import scale_bar
from spinome.report.style import save_figure
from spinome.scores.detection import precision_recall_curve
from spinome.twophoton.dynamics import SERIES
from spinome.twophoton.evaluate import REACH, SCORED_UM
from spinome.twophoton.registered import read_registered

# width of the overlay of all sessions, inches, and distance of a spine's number from it
WIDTH_IN, NUMBER_UM = 14.0, 1.3


@dataclass(frozen=True)
class Session:
    """One stack of a series: names, registered files, voxel (z, y, x) in um, the truth where there is one, and whether
    the stack failed, so that its spines are not known."""

    specimen: str
    field: str
    timepoint: str
    day: float
    stack: str
    projection: str
    voxel_um: tuple[float, float, float]
    truth: pd.DataFrame | None
    failed: bool = False

    @property
    def series(self) -> str:
        return f"{self.specimen}.{self.field}"


def draw(
    folder: Path,
    sessions: list[Session],
    spines: pd.DataFrame,
    links: pd.DataFrame,
    turnover: pd.DataFrame,
    survival: pd.DataFrame,
    compared: pd.DataFrame | None,
    history: pd.DataFrame | None,
) -> None:
    """Draw every figure of the branch into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for series in sorted({session.series for session in sessions}):
        own = sorted((session for session in sessions if session.series == series), key=lambda session: session.day)
        table = spines[(spines["specimen"] == own[0].specimen) & (spines["field"] == own[0].field)]
        save_figure(
            draw_series(own, table),
            folder,
            f"{series}_tracks",
            f"{series}: spines through time",
            "Brightest projection of each session with the spines found, each in one colour, numbered beside dendrites."
            + (" Crosses: the true spines." if any(session.truth is not None for session in own) else ""),
        )
        own = [session for session in own if not session.failed]
        if len(own) > 1 and (table["dendrite"] >= 0).any():
            linked = links[(links["specimen"] == own[0].specimen) & (links["field"] == own[0].field)]
            tracks = table.loc[table["dendrite"] >= 0, "spine"].nunique()
            save_figure(
                draw_strips(
                    (read_registered(session.stack) for session in own),
                    [f"day {session.day:g}" for session in own],
                    table,
                    linked,
                    [session.timepoint for session in own],
                ),
                folder,
                f"{series}_strips",
                f"{series}: tracks as film strips",
                f"One spine beside a dendrite a strip, one session a frame ({FRAME_UM:g} um wide, in the slice of the "
                "head). "
                "Under its number the probability of its weakest link: the least sure come first, spines of a single "
                + (f"session last ({MOST} of {tracks} are shown). " if tracks > MOST else "session last. ")
                + "Green: gained; red: seen here for the last time; yellow: one of the two, but more likely missed in "
                "the session beside this one; dark: not found, and this is where its neighbours place it. "
                "Corrections go into a table (docs/exchange.md).",
            )
    if compared is not None and (compared["candidate"] >= 0).any():
        lateral, slices = REACH[""]
        save_figure(
            draw_precision_recall(compared),
            folder,
            "precision_recall",
            "Detection against the truth",
            f"Precision and recall as the score's threshold falls, within {SCORED_UM:g} um of the traced dendrites; a "
            f"hit lies within {lateral:g} um and {slices} slices of the head. Dot: the threshold in use.",
        )
    if len(turnover):
        over = f"over {' or '.join(sorted(turnover['interval_over'].unique()))}"
        save_figure(
            draw_turnover(turnover),
            folder,
            "turnover",
            "Gained, lost and stable spines",
            f"Between each session and the next. Turnover is (gained + lost) / (spines before + after), with a 95 % "
            f"bootstrap interval {over}; spines out of either field and those beside no dendrite are left out. "
            "Dots count a spine that was missed in one of two sessions as gained or lost; triangles are of a model of "
            "gain, loss and detection, with its own interval (three sessions at least), a lower bound rather than the "
            "truth (docs/twophoton.md). Pale: of those lost and gained "
            "as many as were likely only missed. "
            "Back again: seen before, not in the session before this one.",
        )
        save_figure(
            draw_survival(survival),
            folder,
            "survival",
            "Survival and formation",
            "Left: spines of the first session that are left (product-limit; a spine that leaves the field "
            "is not counted as lost). "
            f"Right: spines gained since, over those of the first session. Bands: 95 % bootstrap interval {over}. "
            "Both count a spine that was only missed as lost or gained, so that the curves fall and rise too fast.",
        )
    days = pd.DataFrame(
        [(s.specimen, s.field, s.timepoint, s.day) for s in sessions if not s.failed],
        columns=[*SERIES, "timepoint", "day"],
    )
    changed = draw_size_changes(spines, days) if len(spines) else None
    if changed is not None:
        save_figure(
            changed,
            folder,
            "size_changes",
            "Changes of head volume",
            "Of spines measured in two sessions that follow each other, saturated and dim heads left out; 1 is twice "
            "the volume. The spread holds the error of measuring.",
        )
    if len(spines):
        save_figure(
            draw_sizes(spines, compared),
            folder,
            "sizes",
            "Size of spine heads",
            "Head volume from brightness, as the spines of all sessions have it"
            + (", and against the true volume." if _sized(compared) is not None else ".")
            + (
                f" Pale: {_at_bound(spines).sum():,} heads that are as wide as the fit allows and may be wider."
                if _at_bound(spines).any()
                else ""
            ),
        )
    if history is not None and len(history):
        save_figure(
            draw_training(history),
            folder,
            "training",
            "Training of the detector",
            "Loss on training crops, and average precision of boxes on views that were held out.",
        )


def draw_series(sessions: list[Session], spines: pd.DataFrame) -> plt.Figure:
    """Projection of each session with its spines, each under its number and in the colour of it, and the truth."""
    images = [tifffile.imread(session.projection) for session in sessions]
    # one that failed has the shape of none
    height, width = next((image for image, session in zip(images, sessions) if not session.failed), images[0]).shape
    columns = min(len(sessions), (1 if len(sessions) < 4 else 2) if width > 1.8 * height else 3)
    rows = -(-len(sessions) // columns)
    panel = WIDTH_IN / columns
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH_IN, rows * (panel * height / width + 0.3)), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, session in zip(axes.flat, images, sessions):
        if session.failed:
            axis.set_title(f"day {session.day:g}: not known, the session failed")
            continue
        show(axis, image)
        pixel = session.voxel_um[1:]
        own = spines[spines["timepoint"] == session.timepoint]
        axis.scatter(
            own["x_um"] / pixel[1],
            own["y_um"] / pixel[0],
            s=55 if columns == 1 else 28,
            facecolors="none",
            edgecolors=track_colours(own["spine"]),
            linewidths=1.1,
        )
        _number(axis, own[own["dendrite"] >= 0], pixel)
        if session.truth is not None:
            axis.scatter(
                session.truth["x_um"] / pixel[1],
                session.truth["y_um"] / pixel[0],
                marker="+",
                s=14,
                linewidths=0.7,
                color="white",
            )
        axis.set_title(
            f"day {session.day:g}: {(own['dendrite'] >= 0).sum()} spines on dendrites" + _beside_none(own, session)
        )
        scale_bar(axis, pixel[1] * 1000)
    return figure


def _number(axis: plt.Axes, spines: pd.DataFrame, pixel_um: tuple[float, float]) -> None:
    """The number of each spine beside its circle, away from the spines around it."""
    place = spines[["y_um", "x_um"]].to_numpy(float)
    if len(place) < 2:
        return
    near = place[cKDTree(place).query(place, min(7, len(place)))[1]].mean(axis=1)
    away = place - near
    away = place + NUMBER_UM * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    # lighter than the circles, to be read on a dark ground
    colours = 0.5 + 0.5 * track_colours(spines["spine"])
    for spine, (y, x), colour in zip(spines["spine"], away / pixel_um, colours):
        axis.text(x, y, f"{spine}", color=colour, fontsize=5.5, ha="center", va="center", clip_on=True)


def draw_precision_recall(compared: pd.DataFrame) -> plt.Figure:
    """Precision and recall of each series, and the threshold in use."""
    figure, axis = plt.subplots(figsize=(4.6, 4.2), layout="constrained")
    for f1 in (0.5, 0.6, 0.7, 0.8, 0.9):
        recall = np.linspace(f1 / (2 - f1) + 1e-3, 1, 100)
        axis.plot(recall, f1 * recall / (2 * recall - f1), color="0.88", lw=0.8, zorder=0)
        axis.text(1.005, f1 / (2 - f1), f"F1 {f1:g}", fontsize=7, color="0.6", va="center")
    colours = plt.get_cmap("Dark2").colors
    for (series, own), colour in zip(compared.groupby(["specimen", "field"]), colours):
        found = own[own["candidate"] >= 0]
        truths = int((own["true"] >= 0).sum())
        hit = (found["true"] >= 0).to_numpy()
        precision, recall = precision_recall_curve(found["score"].to_numpy(), hit, truths)
        axis.plot(recall, precision, color=colour, lw=1.6, label=f"{'.'.join(series)} ({truths} true spines)")
        used = found["accepted"].to_numpy(bool)
        if used.any():
            axis.plot(hit[used].sum() / max(truths, 1), hit[used].mean(), "o", color=colour, ms=6)
    axis.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axis.legend(loc="lower left")
    return figure


def draw_sizes(spines: pd.DataFrame, compared: pd.DataFrame | None) -> plt.Figure:
    """Histogram of head volumes on a logarithmic axis, and measured against true volumes where these are known."""
    sized = _sized(compared)
    figure, axes = plt.subplots(
        1, 1 + (sized is not None), figsize=(4.4 * (1 + (sized is not None)), 3.4), squeeze=False, layout="constrained"
    )
    known = spines["head_volume_um3"].to_numpy(float) > 0
    volume, bound = spines["head_volume_um3"].to_numpy(float)[known], _at_bound(spines)[known]
    bins = np.geomspace(0.005, 5, 31)
    shown = np.clip(volume, bins[0], bins[-1])
    colours = [COLOURS["spine"], to_rgba(COLOURS["spine"], 0.35)]
    axes[0, 0].hist([shown[~bound], shown[bound]], bins, color=colours, stacked=True)
    if len(volume):
        axes[0, 0].axvline(np.median(volume), color="black", lw=1, ls="--", label=f"median {np.median(volume):.2f} um³")
        axes[0, 0].legend()
    axes[0, 0].set(xscale="log", xlabel="head volume (um³)", ylabel="spines and sessions")
    if sized is not None:
        axis = axes[0, 1]
        axis.scatter(sized["true_volume_um3"], sized["head_volume_um3"], s=8, color=COLOURS["truth"], alpha=0.5, lw=0)
        limits = [0.9 * sized["true_volume_um3"].min(), 1.1 * sized["true_volume_um3"].max()]
        axis.plot(limits, limits, color="black", lw=0.8)
        rank = sized["head_volume_um3"].corr(sized["true_volume_um3"], method="spearman")
        axis.set(
            xscale="log",
            yscale="log",
            xlabel="true head volume (um³)",
            ylabel="measured head volume (um³)",
            title=f"rank correlation {rank:.2f}",
        )
    return figure


def draw_training(history: pd.DataFrame) -> plt.Figure:
    """Training loss and held-out average precision by step."""
    figure, axis = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axis.plot(history["step"], history["loss"], color=COLOURS["grey"])
    axis.set(xlabel="step", ylabel="training loss")
    watched = history.dropna(subset="held_out_ap")
    right = axis.twinx()
    right.spines["right"].set_visible(True)
    right.plot(watched["step"], watched["held_out_ap"], "o-", color=COLOURS["spine"], ms=4)
    right.set(ylabel="held-out average precision", ylim=(0, 1))
    lines = [Line2D([], [], color=COLOURS["grey"]), Line2D([], [], color=COLOURS["spine"], marker="o", ms=4)]
    axis.legend(lines, ["training loss", "held-out average precision"], loc="center right")
    return figure


def show(axis: plt.Axes, image: np.ndarray) -> None:
    """An image in grey values with dim spines beside bright shafts visible."""
    axis.imshow(_grey(image, *_range(image)), cmap="gray", vmin=0, vmax=1)


def track_colours(ids: pd.Series) -> np.ndarray:
    """A colour for each id, the same in every session, neighbouring ids far apart on the wheel."""
    return plt.get_cmap("hsv")((ids.to_numpy(float) * 0.61803398875) % 1.0) * [0.9, 0.9, 0.9, 1]


def _range(image: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(image, [30, 99.6])
    return float(low), float(max(high, low + 1e-6))


def _grey(image: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((image.astype(np.float32) - low) / (high - low), 0, 1) ** 0.6


def _beside_none(spines: pd.DataFrame, session: Session) -> str:
    """How many more lie beside no dendrite, and how many there truly are where that is known."""
    others = int((spines["dendrite"] < 0).sum())
    told = f", {others} beside none" if others else ""
    return told + (f"; {len(session.truth)} true" if session.truth is not None else "")


def _at_bound(spines: pd.DataFrame) -> np.ndarray:
    """Which spines (N,) have a volume and a head as wide as the fit allows."""
    return spines["size_at_bound"].to_numpy(bool) & (spines["head_volume_um3"].to_numpy(float) > 0)


def _sized(compared: pd.DataFrame | None) -> pd.DataFrame | None:
    if compared is None:
        return None
    own = compared[(compared["head_volume_um3"] > 0) & (compared["true_volume_um3"] > 0)]
    return own if len(own) > 2 else None
