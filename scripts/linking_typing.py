"""Tell orphans, shafts and others of a volume's segments apart."""

import numpy as np

from spinome.io.models import load_model
from spinome.io.tables import concatenate, read_table, write_table
from spinome.io.units import working_stride
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.measure import DEEPER, FACES, SECOND, join_nearest, with_inside
from spinome.linking.shape import FEATURES, HKS_FEATURES, voxel_features
from spinome.linking.typing import kinds_of_types, type_probabilities, type_segments, with_unseen, without_axons
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
settings, model = dict(params.settings), step.model_file(snakemake)
voxel_nm = require_voxel_size(open_labels(step.source(snakemake, "segmentation"), params.voxel_nm))
stride = working_stride(voxel_nm, settings.pop("working_nm"))
measured, pieces = read_table(inputs.segments), Finished.read(*inputs.pieces)


def nearest():
    for file in pieces.values():
        with np.load(file) as part:
            yield part["segments"], part["away"], part["nearest"]


labels = measured["segment"].to_numpy().astype(np.uint64)
segments = with_inside(measured, join_nearest(nearest(), labels), voxel_nm, stride).drop(
    columns=[*DEEPER, *FACES, *SECOND]
)
if model and params.by_shape:
    least_um3 = settings["orphan_min_um3"]
else:
    least_probability, least_um3 = settings.pop("shaft_min_probability"), settings["shaft_min_um3"]
    segments["kind"] = type_segments(segments, **settings)
if model:
    surfaces = concatenate(Finished.read(*inputs.shapes).values(), ["segment", *HKS_FEATURES])
    large = measured["volume_um3"] >= least_um3
    known = measured[large & measured["segment"].isin(surfaces["segment"].astype("int64"))]
    print(f"the shapes of {large.sum() - len(known)} segments are not known")
    size = tuple(length * step for length, step in zip(voxel_nm, stride))
    shapes = voxel_features(known, size).merge(surfaces.astype({"segment": "int64"}), on="segment")
    types = type_probabilities(load_model(model, FEATURES), shapes)
    if inputs.unseen:
        unseen = read_table(inputs.unseen[0])
        types = with_unseen(types, unseen[unseen["volume"] == snakemake.wildcards.volume])
    typed = segments.merge(types, on="segment", how="left")
    kind = kinds_of_types(typed) if params.by_shape else without_axons(typed, least_probability)
    segments = typed.assign(kind=kind)
print(segments["kind"].value_counts().to_string())
write_table(segments, output[0])
