"""The true links of a volume: given, or from where its segments lie in a dense truth."""

import numpy as np

from spinome.io.tables import read_table, write_table
from spinome.io.volumes import open_labels, require_same_grid
from spinome.linking.agglomerate import contingency
from spinome.linking.links import derive_truth
from spinome.logs import log_to

log_to(snakemake.log)
if snakemake.input.get("links"):
    links = read_table(snakemake.input.links, ["orphan", "shaft"])[["orphan", "shaft"]].astype(np.int64)
else:
    segments, truth = open_labels(snakemake.params.segments), open_labels(snakemake.params.truth)
    require_same_grid([segments, truth])
    links = derive_truth(read_table(snakemake.input.typing), *contingency(segments[:], truth[:]))
# what touches the volume's edge may belong to a shaft outside, and is no orphan
typing = read_table(snakemake.input.typing)
links = links[~links["orphan"].isin(typing.loc[typing["on_edge"], "segment"])]
print(f"{links['orphan'].nunique()} orphans with a true parent")
write_table(links, snakemake.output[0])
