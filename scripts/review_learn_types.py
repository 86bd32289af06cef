"""Teach the forest of types from what people answered, and keep the old one where the new one is not better."""

import pandas as pd

from spinome.io.models import load_model
from spinome.io.tables import concatenate, read_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import label_at, open_labels
from spinome.linking.shape import FEATURES, HKS_FEATURES, voxel_features
from spinome.review.answers import Answers, standing
from spinome.review.conclude import conclude, save_taken
from spinome.review.learn_types import learn, statements, taught, types_said
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
file, measured = step.model_file(snakemake), step.by_name(inputs, "segments")
old, places, rows = load_model(file, FEATURES), step.sources(snakemake, "segmentation"), params.aside.rows
volumes = {name: open_labels(places[name], row["voxel_nm"]) for name, row in rows.items()}
answers = types_said(standing(Answers(params.aside.answers).read()))
answers = answers[answers["unit"].isin(list(volumes))]
said = statements(answers, lambda name, place: label_at(volumes[name], place))
# without answers nothing is described
described = [pd.DataFrame(columns=["volume", "segment", *FEATURES])]
for name in sorted(set(said["volume"])):
    done = Finished.read(*step.by_name(inputs, f"shapes/{name}").values())
    surfaces = concatenate(done.values(), ["segment", *HKS_FEATURES]).astype({"segment": "int64"})
    segments = read_table(measured[name])
    own = segments[segments["segment"].isin(surfaces["segment"])]
    size = Thinned.to(volumes[name], params.working_nm).voxel_nm
    described.append(voxel_features(own, size).merge(surfaces, on="segment").assign(volume=name))
known = pd.concat(described[1:] or described, ignore_index=True)
taken, row = learn(old, taught(known, said), params.seed)
scores = pd.DataFrame([row | {"people": " ".join(sorted(answers["who"].unique()))}])
save_taken(output.model, taken, conclude(scores, output.scores), old, file)
