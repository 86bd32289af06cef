"""Links of spines cut off `pinky40` held against the labels of the linked meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

import pinky40
from spinome.census.agreement import LabelledSurface, agreement_table, best_candidates, compare_mesh, decided_right
from spinome.configuration.linking import Links, Meshes
from spinome.io.models import load_model
from spinome.linking.links import linked_bridges
from spinome.linking.meshes import linked_meshes
from spinome.mesh.hks import log_hks
from spinome.mesh.surface import vertex_areas
from spinome.neurons.classify import FEATURES, class_probabilities, domain_features
from spinome.neurons.condense import condense
from spinome.neurons.instances import SPINE
from spinome.neurons.simplify import simplify
from spinome.neurons.spines import label_mesh

# the shipped forest, which no part of pinky40 has trained
MODEL = Path(__file__).parents[1] / "workflow" / "models" / "neurons.skops"


def agreement(part: pinky40.Detached, links: pd.DataFrame) -> pd.DataFrame:
    """The table of agreements of cut spines, with whether each decision is right."""
    labels, cuts = pinky40.detach(pinky40.MIXTURE_NM, pinky40.TEST_SEED)
    bridges = linked_bridges(part.candidates, links)
    shafts = np.unique(bridges["shaft"])
    settings = Meshes()
    best = best_candidates(links, part.candidates, cuts.rename(columns={"orphan": "segment"}))
    model = load_model(MODEL, FEATURES)
    compared = []
    size, radius_nm = pinky40.WORKING_NM, settings.bridge_nm
    for number, mesh in linked_meshes(labels, bridges, shafts, size, radius_nm, settings.error_nm):
        segment = mesh.vertex_data["segment"]
        simple = simplify(mesh)
        domains = condense(simple.vertices, simple.faces, log_hks(simple.vertices, simple.faces))
        probability = class_probabilities(model, domain_features(domains))[domains.label[simple.vertex_of]]
        labelled, spines = label_mesh(mesh, probability)
        area = vertex_areas(mesh.vertices, mesh.faces)
        surface = LabelledSurface(mesh.vertices, area, segment, labelled.spine, labelled.probability[:, SPINE])
        compared.append(compare_mesh(int(shafts[number - 1]), surface, spines, best, Links().threshold))
    return decided_right(agreement_table(compared, best), links, cuts)
