"""Studies simulated as two-photon stacks and measured by the models that ship: from grey values to a comparison.

The steps are those of the workflow (`scripts/twophoton_*.py`), with its default settings, in one process: a process for
each step of each stack takes longer to start than to run.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from spinome.columns import POSITION
from spinome.compare.errors import counted_in_pairs, rates_by_level, rates_of_evaluation
from spinome.compare.fit import Comparison, fit
from spinome.configuration.twophoton import Twophoton
from spinome.io.models import load_model
from spinome.io.opened_stack import require_voxel_um
from spinome.io.stacks import open_stack
from spinome.phantom.specimen import grow_specimen
from spinome.phantom.study import BETWEEN_ANIMALS, CONDITIONS
from spinome.phantom.twophoton import render_session, session_dendrites, session_spines, write_session
from spinome.scores.intervals import evaluation_table
from spinome.twophoton.corrections import CORRECTION_COLUMNS
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.judge import FEATURES, judge_stack
from spinome.twophoton.measure import measure_stack
from spinome.twophoton.register import as_stored, register
from spinome.twophoton.time_track import follow_series
from spinome.twophoton.truth import read_truth

MODELS = Path(__file__).parents[1] / "workflow" / "models"
# 25 x 50 um with about three dendrites and a hundred visible spines
SLICES, FIELD_PX = 20, (208, 416)
# of control animals, on the dendrites of the simulated neuron
SPINES_PER_UM, RATIO = 1.1, 0.75
ANIMALS = 8
FORMULA = "spines/length_um ~ condition + (1 | animal/dendrite)"


def imaged_study(seed: int) -> pd.Series:
    """The effect found in a study of eight animals, half of them with a density 25 % lower.

    Returns
    -------
    the row of `spinome.compare.fit.COLUMNS`, and precision and recall of the detection in the stacks of each condition
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng([seed, 18])
    densities = SPINES_PER_UM * np.exp(rng.normal(0, BETWEEN_ANIMALS.density, ANIMALS))
    dendrites, pairs = [], []
    for animal, density in enumerate(densities):
        treated = animal % 2
        name = {"animal": f"m{animal}", "condition": CONDITIONS[treated]}
        counted, paired = _imaged_animal(1000 * seed + animal, density * (RATIO if treated else 1.0))
        dendrites.append(counted.assign(**name))
        pairs.append(paired.assign(specimen=f"m{animal}", field="field", timepoint="0", day=0.0, **name))
    every = pd.concat(pairs, ignore_index=True)
    rates = rates_by_level(
        every, ["condition"], lambda own: rates_of_evaluation(evaluation_table(evaluation(own))), counted_in_pairs
    )
    effects, _, _ = fit(pd.concat(dendrites, ignore_index=True), Comparison("density", "made", FORMULA, rates=rates))
    found = effects.set_index("term").loc["condition[treated]" if len(effects) > 1 else effects["term"].iloc[0]]
    return pd.concat([found, pd.Series({f"{rate.name} {rate.where['condition']}": rate.value for rate in rates})])


def _imaged_animal(seed: int, spines_per_um: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Dendrites of one stack with their spines as the machine counts them, and its candidates beside the truth."""
    specimen = grow_specimen(
        seed,
        days=[0.0],
        em_shape=(24, 128, 128),
        em_voxel_nm=(30.0, 12.0, 12.0),
        field_shape=(SLICES, *FIELD_PX),
        spines_per_um=spines_per_um,
        soma_radius_um=2.0,
        passing_dendrites=0,
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_session(folder / "stack.ome.tif", render_session(specimen, 0))
        session_spines(specimen).to_csv(folder / "spines.csv", index=False)
        session_dendrites(specimen).to_csv(folder / "dendrites.csv", index=False)
        opened = open_stack(folder / "stack.ome.tif")
        raw, voxel_um = opened.read(), require_voxel_um(opened)
        truth = read_truth(folder / "spines.csv", folder / "dendrites.csv", "0", voxel_um)
    keys = Twophoton()
    reach = tuple(keys.registration.max_shift_um / size for size in voxel_um[1:])
    placed = register(raw, reach, max_angle_deg=keys.registration.max_rotation_deg, pixel=voxel_um[1:])
    stack = as_stored(placed.stack, raw.dtype)
    detector, _ = load_detector(MODELS / "detector.safetensors")
    judge = load_model(MODELS / "judge.skops", FEATURES)
    found, _ = find_spines(detect(stack, voxel_um, detector), stack, voxel_um, keys.detect.gap_slices)
    candidates = judge_stack(stack, voxel_um, found, judge)
    candidates["accepted"] = candidates["score"] >= judge.card["threshold"]
    accepted = candidates[candidates["accepted"]].drop(columns="accepted").assign(corrected=False)
    spines, lengths = measure_stack(stack, voxel_um, accepted, keys.measure.psf_xy_um, keys.measure.psf_z_um)
    track = keys.track
    places, image = [spines[POSITION].to_numpy(float)], [stack.max(axis=0)]
    expected, _ = correspond_series(places, image, [voxel_um], track.max_shift_um, track.gate_um, track.gap_sessions)
    none, size_um = pd.DataFrame(columns=CORRECTION_COLUMNS), np.array(stack.shape) * voxel_um
    tables = follow_series({"0": spines}, {"0": 0.0}, none, expected, [size_um], [lengths], track.gate_um)
    return tables["dendrites"], compare(candidates, tables["spines"], *truth, voxel_um[0])
