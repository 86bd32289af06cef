"""The true links of a volume: given, or from where its segments lie in a dense truth, with their neurites."""

import numpy as np

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.evaluate import overlaps_by_cuboid
from spinome.linking.links import derive_truth, true_fragments
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
typing = read_table(inputs.typing)
if given := inputs.truth_links:
    links = read_table(given, ["orphan", "shaft"], integers=["orphan", "shaft"])[["orphan", "shaft"]].astype(np.int64)
    fragments = true_fragments(np.zeros((0, 2), np.int64), np.zeros(0, np.int64))
else:
    columns = ("segmentation", "truth_segmentation")
    segments, truth = (open_labels(step.source(snakemake, column), params.voxel_nm) for column in columns)
    require_same_grid([segments, truth])
    overlap = overlaps_by_cuboid(segments, truth, tuple(params.cuboid))
    links, fragments = derive_truth(typing, *overlap), true_fragments(*overlap)
# what touches the volume's edge may belong to a shaft outside, and is no orphan
links = links[~links["orphan"].isin(typing.loc[typing["on_edge"], "segment"])]
print(f"{links['orphan'].nunique()} orphans with a true parent")
write_table(links, output.links)
write_table(fragments, output.fragments)
