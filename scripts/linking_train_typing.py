"""Train the forest that types segments by their shape, scored with dendrites and their spines kept apart."""

import pandas as pd

from spinome.io.models import Model, save_model
from spinome.io.tables import concatenate, read_table, write_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels
from spinome.linking.shape import FEATURES, HKS_FEATURES, voxel_features
from spinome.linking.typing import read_types, train_types, unseen_probabilities
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
segmentations = step.sources(snakemake, "segmentation")
measured, tables = step.by_name(inputs, "segments"), step.by_name(inputs, "truth_types")
links, lessons = step.by_name(inputs, "truth_links"), []
for volume, tissue in params.tissues.items():
    types, segments = read_types(tables[volume]), read_table(measured[volume])
    segments = segments[segments["segment"].isin(types["segment"])]
    print(f"{volume}: {len(segments)} of {len(types)} segments of the table of types are in the volume")
    size = Thinned.to(open_labels(segmentations[volume], params.each[volume]), params.working_nm).voxel_nm
    done = Finished.read(*step.by_name(inputs, f"shapes/{volume}").values())
    surfaces = concatenate(done.values(), ["segment", *HKS_FEATURES]).astype({"segment": "int64"})
    table = voxel_features(segments, size).merge(surfaces, on="segment").merge(types, on="segment")
    print(f"{volume}: the surfaces of {len(segments) - len(table)} of these are not known, so that they teach nothing")
    # whole numbers to the last digit, which floats would round
    own = table["segment"].astype("Int64")
    if volume in links:
        # a spine that was cut off is of the same specimen as its dendrite
        cut = read_table(links[volume], integers=["orphan", "shaft"]).drop_duplicates("orphan")
        own = own.map(cut.set_index("orphan")["shaft"]).fillna(own)
    lessons.append(table.assign(volume=volume, specimen=[f"{tissue}/{name}" for name in own]))
lesson = pd.concat(lessons, ignore_index=True)
specimens = lesson["specimen"].factorize()[0]
forest, unseen = train_types(lesson, lesson["type"].to_numpy(), specimens, params.seed)
table = unseen_probabilities(forest, lesson, unseen)
right = table["type"].to_numpy() == lesson["type"].to_numpy()
card = {
    "trained_on": list(params.tissues),
    "working_nm": params.working_nm,
    "segments": {str(kind): int(count) for kind, count in lesson["type"].value_counts().items()},
    "cross_validated_accuracy": round(float(right.mean()), 4),
}
print(card)
save_model(output.model, Model(forest, FEATURES, card))
write_table(table, output.unseen)
