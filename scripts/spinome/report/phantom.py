"""What was simulated: one specimen as a mesh, as an EM slice and as a two-photon session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from spinome.colours import COLOURS
from spinome.io.meshes import read_mesh
from spinome.io.opened_stack import require_voxel_um
from spinome.io.sources import split_source
from spinome.io.stacks import open_stack
from spinome.io.tables import read_table
from spinome.io.volumes import open_volume
from spinome.mesh.render import fit_camera, render_mesh
from spinome.mesh.surface import Mesh
from spinome.report.scale_bar import scale_bar
from spinome.report.style import save_figure

LABELS = ("shaft", "spine", "soma")


@dataclass(frozen=True)
class Shown:
    """A sample that shows a simulated specimen.

    Attributes
    ----------
    specimen : its name
    view : `neurons` for its mesh, `linking` for its EM cutout, `twophoton` for one of its sessions
    source : of the mesh, the image or the stack
    truth : table of the true spines of its sessions, or of the true synapses of its cutout
    timepoint, voxel_um : of the session
    """

    specimen: str
    view: str
    source: str
    truth: str | None = None
    timepoint: str | None = None
    voxel_um: tuple[float, float, float] | None = None


def draw_all(folder: Path, samples: Iterable[Shown]) -> None:
    """Draw what was simulated into a folder, a figure for each of these samples."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = {"neurons": _mesh, "linking": _em, "twophoton": _session}
    for shown in samples:
        figure, title, caption = draw[shown.view](shown)
        name = f"{shown.specimen}_{shown.view}"
        save_figure(figure, folder, name, f"The specimen {shown.specimen} {title}", caption)


def _mesh(shown: Shown) -> tuple[plt.Figure, str, str]:
    return draw_mesh(read_mesh(shown.source)), "as a mesh", "Seen along z, in the colours of its true labels."


def _em(shown: Shown) -> tuple[plt.Figure, str, str]:
    store, _ = split_source(shown.source)
    image, segments, synapses = (open_volume(f"{store}::{part}") for part in ("image", "segmentation", "synapses"))
    z = int(np.argmax([np.count_nonzero(synapses[z]) for z in range(synapses.shape[0])]))
    targets = read_table(shown.truth)["post"].unique()
    dendrites = np.where(np.isin(segments[z], targets), segments[z], 0)
    figure = draw_em(image[z], dendrites, synapses[z], image.voxel_nm[2] / 1000)
    return figure, "as an EM cutout", f"Slice {z}, the one with the most synapse voxels."


def _session(shown: Shown) -> tuple[plt.Figure, str, str]:
    stack, spines = open_stack(shown.source, voxel_um=shown.voxel_um), read_table(shown.truth)
    there = spines[spines["timepoint"].astype(str) == shown.timepoint]
    figure = draw_session(stack.read(), there, require_voxel_um(stack))
    return figure, "in two-photon microscopy", f"Session {shown.timepoint}, the last of the series."


def draw_mesh(mesh: Mesh) -> plt.Figure:
    """The mesh seen along z, shaded, in the colours of its labels.

    `mesh.vertex_data["label"]` is 0 shaft, 1 spine, 2 soma.
    """
    extent = np.ptp(mesh.vertices, axis=0)
    size = (int(np.clip(1500 * extent[1] / extent[0], 300, 1100)), 1500)
    camera = fit_camera(mesh.vertices, size, view="z", margin=0.07)
    colours = np.array([to_rgb(COLOURS[name]) for name in LABELS])[mesh.vertex_data["label"].astype(int).clip(0, 2)]
    image = render_mesh(mesh.vertices, mesh.faces, colours, camera=camera)
    height, width = np.array(size) * camera.nm_per_px / 1000
    figure, axes = plt.subplots(figsize=(9, 9 * size[0] / size[1]), layout="constrained")
    axes.imshow(image, extent=(0, width, height, 0), interpolation="antialiased")
    scale_bar(axes, 1000, "#22262b")
    axes.set_axis_off()
    handles = [Line2D([], [], marker="s", ls="", color=COLOURS[name], label=name) for name in LABELS]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def draw_em(image: np.ndarray, dendrites: np.ndarray, synapses: np.ndarray, voxel_um: float) -> plt.Figure:
    """A slice of the EM cutout, plain and with the true dendrites and synapses over it.

    Parameters
    ----------
    image : (Y, X) grey values
    dendrites, synapses : (Y, X) labels of true dendrites and of true synapses, 0 where none
    voxel_um : size of a voxel in the plane
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    size = np.array(image.shape)[::-1] * voxel_um
    for axes in (left, right):
        axes.imshow(image, cmap="gray", extent=(0, size[0], size[1], 0), interpolation="antialiased")
        scale_bar(axes, 1000)
        axes.set_axis_off()
    over = np.zeros((*image.shape, 4))
    cycle = [to_rgb(colour) for colour in ("#edae49", "#66a182", "#7d5ba6", "#00798c", "#f28f3b", "#30638e")]
    for number, label in enumerate(np.unique(dendrites[dendrites > 0])):
        over[dendrites == label] = (*cycle[number % len(cycle)], 0.45)
    over[synapses > 0] = (*to_rgb(COLOURS["spine"]), 0.95)
    right.imshow(over, extent=(0, size[0], size[1], 0), interpolation="nearest")
    left.set_title("grey values")
    right.set_title("true dendrites and synapses (red)")
    return figure


def draw_session(stack: np.ndarray, truth: pd.DataFrame, voxel_um: tuple[float, float, float]) -> plt.Figure:
    """The maximum projection of a two-photon session, plain and with its true spines.

    Parameters
    ----------
    stack : (Z, Y, X)
    truth : rows of `truth_spines.csv` of this session
    voxel_um : z, y, x
    """
    projection = stack.max(axis=0).astype(float)
    size = np.array(projection.shape)[::-1] * voxel_um[1:][::-1]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
    for axes in (left, right):
        axes.imshow(
            projection,
            cmap="gray",
            vmin=np.percentile(projection, 1),
            vmax=np.percentile(projection, 99.7),
            extent=(0, size[0], size[1], 0),
            interpolation="antialiased",
        )
        scale_bar(axes, 1000)
        axes.set_axis_off()
    tips = truth[["tip_x_px", "tip_y_px"]].to_numpy() * voxel_um[1:][::-1]
    right.plot(*tips.T, "o", ms=4, mfc="none", mec=COLOURS["spine"], mew=0.9)
    left.set_title("maximum projection")
    right.set_title("tips of its true spines")
    return figure
