"""Draw the figures of the linking branch."""

from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.datasets import read_rows
from spinome.io.tables import read_table
from spinome.io.volumes import open_labels, open_volume, require_voxel_size
from spinome.report.linking import Linked, draw_results, draw_volumes
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
segmentations = step.sources(snakemake, "segmentation")
kinds = ("typing", "superpixels", "gaps", "truth", "thresholds")
typing, superpixels, gaps, truth, thresholds = (step.by_name(inputs, kind) for kind in kinds)
truth, thresholds = ({volume: read_table(file) for volume, file in files.items()} for files in (truth, thresholds))


def opened():
    for volume, row in params.aside.rows.items():
        segments = open_labels(segmentations[volume], row["voxel_nm"])
        voxel_nm, made, true = require_voxel_size(segments), superpixels.get(volume), row["truth_segmentation"]
        yield (
            volume,
            Linked(
                segments,
                read_table(typing[volume]),
                *(read_rows(table, "volume", [volume]) for table in (inputs.links, inputs.bridges)),
                image=open_volume(row["image"], voxel_nm) if row["image"] else None,
                superpixels=open_labels(made) if made else None,
                gaps=read_table(gaps[volume]) if volume in gaps else None,
                true_segments=open_labels(true, voxel_nm) if true else None,
                truth=truth.get(volume),
            ),
        )


with atomic(output[0]) as part:
    folder = Path(part)
    folder.mkdir()
    draw_volumes(folder, opened(), params.working_nm)
    graph = (read_table(inputs.evaluation), read_table(inputs.detachment)) if inputs.evaluation else None
    links = read_rows(inputs.links, "volume", list(truth))
    # one model links all volumes
    linked_from = read_table(inputs.limits)["linked_from"].iloc[0]
    draw_results(folder, links, truth, thresholds, (params.threshold, linked_from), graph)
