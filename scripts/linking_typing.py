"""Measure the segments of a volume and tell orphans, shafts and others apart."""

import numpy as np

from spinome.gaps import labels_at_gaps
from spinome.io.models import load_model
from spinome.io.tables import read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.shape import FEATURES, shape_features
from spinome.linking.typing import kinds_of_types, measure_segments, type_probabilities, type_segments
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
settings, model = dict(params.settings), step.model_file(snakemake)
volume = open_labels(step.source(snakemake, "segmentation"), params.voxel_nm)
voxel_nm = require_voxel_size(volume)
stride = working_stride(voxel_nm, settings.pop("working_nm"))
thinned = volume[tuple(slice(None, None, step) for step in stride)]
if thinned.any() or not inputs.gaps:
    segments = measure_segments(thinned, voxel_nm, stride)
else:
    # a volume that was segmented here may have no segment, or none that is known
    segments = measure_segments(np.ones((1, 1, 1), thinned.dtype), voxel_nm, stride).iloc[:0]
if inputs.gaps:
    # what a gap cuts is as what the volume's edge cuts
    cut = labels_at_gaps(thinned, read_table(inputs.gaps), stride)
    segments["on_edge"] |= segments["segment"].isin(cut.astype("int64"))
if model:
    forest = load_model(model, FEATURES)
    large = segments[segments["volume_um3"] >= settings["orphan_min_um3"]]
    shapes = shape_features(thinned, large, tuple(size * step for size, step in zip(voxel_nm, stride)))
    typed = segments.merge(type_probabilities(forest, shapes), on="segment", how="left")
    typed.insert(len(segments.columns), "kind", kinds_of_types(typed))
    segments = typed
else:
    segments["kind"] = type_segments(segments, **settings)
print(segments["kind"].value_counts().to_string())
write_table(segments, output[0])
