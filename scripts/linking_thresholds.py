"""Score the segments of a volume for every threshold of its merge tree."""

import numpy as np
import pandas as pd

from spinome.gaps import without_gaps
from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.agglomerate import cut
from spinome.logs import log_to
from spinome.scores.segmentation import merge_rows, object_terms, overlaps, pool_terms

log_to(snakemake.log)
superpixels, truth = open_labels(snakemake.input.superpixels), open_labels(snakemake.params.truth)
require_same_grid([superpixels, truth])
table, labels = overlaps(superpixels[:], without_gaps(truth[:], read_table(snakemake.input.gaps)))
tree = read_table(snakemake.input.tree)
everything = np.unique(np.concatenate([labels, tree["left"], tree["right"]]))
rows = []
for threshold in np.linspace(0, 1, 51):
    groups = cut(tree, everything, threshold)[np.searchsorted(everything, labels)]
    rows.append({"threshold": threshold, **pool_terms(object_terms(merge_rows(table, groups)))._asdict()})
write_table(pd.DataFrame(rows), snakemake.output[0])
