"""Score the segments of a volume for every threshold of its merge tree."""

import numpy as np
import pandas as pd

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.agglomerate import cut
from spinome.linking.evaluate import overlaps_by_cuboid
from spinome.scores.overlap import table_of_overlaps
from spinome.scores.segmentation import merge_rows, object_terms, pool_terms
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
superpixels = open_labels(inputs.superpixels)
truth = open_labels(step.source(snakemake, "truth_segmentation"), params.voxel_nm)
require_same_grid([superpixels, truth])
gaps = read_table(inputs.gaps)
table, labels = table_of_overlaps(*overlaps_by_cuboid(superpixels, truth, tuple(params.cuboid), gaps))
tree = read_table(inputs.tree)
everything = np.unique(np.concatenate([labels, tree["left"], tree["right"]]))
rows = []
for threshold in np.linspace(0, 1, 51):
    groups = cut(tree, everything, threshold)[np.searchsorted(everything, labels)]
    rows.append({"threshold": threshold, **pool_terms(object_terms(merge_rows(table, groups)))._asdict()})
write_table(pd.DataFrame(rows), output[0])
