"""Draw the figures of the linking branch."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from spinome.io.tables import read_table
from spinome.io.volumes import open_labels, open_volume, require_voxel_size
from spinome.linking.evaluate import known_links
from spinome.linking.links import not_known
from spinome.linking.typing import working_stride
from spinome.logs import log_to
from spinome.report.gaps import tell_gaps
from spinome.report.line_graph import draw_graph
from spinome.report.linking import draw_candidates, draw_dendrites, draw_scores, draw_segments
from spinome.report.style import save_figure

log_to(snakemake.log)
params, given, folder = snakemake.params, snakemake.input, Path(snakemake.output[0])
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
all_links, all_bridges = read_table(given.links), read_table(given.bridges)
truth = {volume: read_table(file) for volume, file in zip(params.scored, given.truth)}
for row in params.rows:
    name = row["volume"]
    links, bridges = (table[table["volume"] == name] for table in (all_links, all_bridges))
    segments, typing = open_labels(row["segments"], row["voxel_nm"]), read_table(row["typing"])
    voxel_nm = require_voxel_size(segments)
    stride = working_stride(voxel_nm, params.working_nm)
    size_nm = tuple(size * step for size, step in zip(voxel_nm, stride))
    image = open_volume(row["image"], voxel_nm) if row["image"] else None
    true_segments = open_labels(row["truth"], voxel_nm) if row["truth"] else None
    if image and row["superpixels"]:
        middle, gaps = segments.shape[0] // 2, read_table(row["gaps"])
        panels = {"superpixels": open_labels(row["superpixels"])[middle], "segments": segments[middle]}
        save_figure(
            draw_segments(
                image[middle], panels, true_segments[middle] if true_segments else None, voxel_nm, gaps, middle
            ),
            folder,
            f"segments_{name}",
            f"From grey values to segments: {name}",
            "The middle slice; superpixels of the watershed and segments of the learned agglomeration"
            + (", with the outlines of the true neurites in white." if true_segments else ".")
            + tell_gaps(gaps),
        )
    if links["linked"].any():
        shafts = typing.loc[typing["kind"] == "shaft", "segment"].to_numpy()
        thinned = segments[tuple(slice(None, None, step) for step in stride)]
        save_figure(
            draw_dendrites(thinned, shafts, links, bridges, size_nm),
            folder,
            f"dendrites_{name}",
            f"Orphan spines on their shafts: {name}",
            "Seen along z. Shafts that carry linked orphans are pale, an orphan has the colour of its link's "
            "probability, a line is the way to its shaft; orphans without a link are dark, other shafts light grey."
            + (" Of blue orphans it is not known whether they have a parent." if not_known(links).any() else ""),
        )
    if image and (links["rank"] > 0).any():
        parent = truth[name].groupby("orphan")["shaft"].first() if name in truth else pd.Series(dtype=np.int64)
        # the most disputed orphans are the ones to look at
        second = links[links["rank"] == 2].sort_values("probability", ascending=False)["orphan"].head(3)
        chosen = links[links["rank"] == 1]["orphan"].head(3) if second.empty else second
        windows = []
        for orphan in chosen:
            place = typing.set_index("segment").loc[orphan]
            slice_z = min(int(place["z_nm"] / voxel_nm[0]), segments.shape[0] - 1)
            half = [int(1600 / size) for size in voxel_nm[1:]]
            centre = [int(place[f"{axis}_nm"] / size) for axis, size in zip("yx", voxel_nm[1:])]
            sides = [(max(c - h, 0), min(c + h, n)) for c, h, n in zip(centre, half, segments.shape[1:])]
            box = (slice_z, *(slice(*side) for side in sides))
            known = int(parent[orphan]) if orphan in parent.index else None
            windows.append((image[box], segments[box], links[links["orphan"] == orphan], known))
        save_figure(
            draw_candidates(windows, voxel_nm),
            folder,
            f"candidates_{name}",
            f"The most disputed orphans: {name}",
            "An orphan (red) in the slice of its centre, with its candidate shafts by probability, from violet to "
            "yellow" + ("; the true shaft is outlined." if name in truth else "."),
        )
known = pd.concat([table.assign(volume=volume) for volume, table in truth.items()]) if truth else pd.DataFrame()
thresholds = {volume: read_table(file) for volume, file in zip(params.dense, given.thresholds)}
scored = all_links[all_links["volume"].isin(truth)]
if len(known):
    scored, known, _ = known_links(scored, known)
if len(known) or thresholds:
    save_figure(
        draw_scores(scored, known, thresholds, params.threshold, params.link_threshold),
        folder,
        "scores",
        "Segments and links against the truth",
        "Variation of information over all thresholds of the merge tree (the one in use is marked); how often the true "
        "shaft is among the K most probable candidates; precision and recall of links over all probabilities.",
    )
if given.get("graph"):
    save_figure(
        draw_graph(*map(read_table, given.graph)),
        folder,
        "graph",
        "What links are worth to the graph of synapses",
        "Left: graph f1 before any orphan is linked, as linked, with a perfect proofreader who sees the K likeliest "
        "candidates, and with the truth; of the whole graph, and of the synapses on orphans whose parent is known. "
        "Right: graph f1 when a fraction of these orphans is detached at random (mean and 95 % of 1,000 draws).",
    )
