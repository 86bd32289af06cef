"""Draw the figures of the census."""

import shutil
from pathlib import Path

from spinome.census.tables import HANDFUL
from spinome.io.tables import read_table
from spinome.logs import log_to
from spinome.report.census import draw_classes, draw_partners, draw_sizes, draw_specimen, draw_volumes
from spinome.report.style import save_figure

log_to(snakemake.log)

folder = Path(snakemake.output[0])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
inputs = dict(snakemake.input.items())
if "seen" in inputs:
    seen = read_table(inputs["seen"])
    for specimen in sorted(set(seen["specimen"])):
        save_figure(
            draw_specimen(seen, specimen),
            folder,
            f"specimen_{specimen}",
            f"One simulated specimen, seen by every branch: {specimen}",
            "Each true spine is a line from its base to its head and a ball of its volume: filled where the branch "
            "reported it, open where it missed it. Each view shows what it can see: the whole neuron as a "
            "mesh, the cutout in EM, the field in the two-photon stack.",
        )
    save_figure(
        draw_volumes(seen),
        folder,
        "volumes",
        "Measured and true volume",
        "Spines that were found, one point each; on the grey line the volume is right. In two-photon stacks the volume "
        "is that of the head.",
    )
if "classes" in inputs:
    classes, counts = read_table(inputs["classes"]), read_table(inputs["counts"])
    lost = counts.loc[counts["whole"].isna(), "cell"].nunique()
    save_figure(
        draw_classes(classes, counts),
        folder,
        "classes",
        "Inputs and outputs by cell class",
        "Points with 95 % intervals (bootstrap over cells), where there are at least "
        f"{HANDFUL} cells on both sides. Open diamonds are published values of mouse visual cortex (Pedigo et al. "
        "2026): other cells, for orientation."
        + (f" Of {lost} cells something is not known, since they failed; they are left out of it." if lost else ""),
    )
    if (classes["partner_class"] != "").any():
        save_figure(
            draw_partners(classes),
            folder,
            "partners",
            "Synapses on spines by the class of both cells",
            "Fraction of the synapses of each pair of classes that are on spines, and their number. Partners of no "
            "known class are left out.",
        )
spines = read_table(inputs["spines"])
if len(spines):
    save_figure(
        draw_sizes(spines),
        folder,
        "sizes",
        "Size of spines by the way they were seen",
        "Histograms on logarithmic axes; dotted lines are medians. A spine that was tracked through time counts once, "
        "by its median; sizes beyond an axis, as the neck of a stubby spine, are in its outermost bin.",
    )
