"""Time linking, detection and registration of the twophoton branch on real stacks, beside the published steps."""

import os
import sys
import tempfile
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import tifffile
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

from runner import Measured, PeerUnavailable, Row, measure, measure_command, peer_python, write_rows
from simulated import grow
from spinome.columns import POSITION
from spinome.configuration import complete
from spinome.io.models import load_model
from spinome.io.stacks import open_stack
from spinome.phantom.twophoton import render_session, session_spines
from spinome.scores.detection import average_precision, match_boxes
from spinome.scores.matching import match_points
from spinome.scores.tracking import idf1, link_f1
from spinome.twophoton.backbone import NODE_COLUMNS
from spinome.twophoton.correspond import correspond_series
from spinome.twophoton.cross_session import agreed
from spinome.twophoton.depth import learn_depth
from spinome.twophoton.depth_track import find_spines, given_spines, overlap_track
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.dynamics import turnover
from spinome.twophoton.evaluate import REACH, SCORED_UM, compare, evaluation
from spinome.twophoton.fields import read_fields
from spinome.twophoton.judge import (
    FEATURES,
    LEAST_SCORE,
    TRAINED_UM,
    blocks,
    candidate_features,
    depth_examples,
    examples,
    expected_threshold,
    judge_stack,
    judged,
    label_candidates,
    place_examples,
    train_judge,
)
from spinome.twophoton.measure import measure as measure_spines
from spinome.twophoton.measure import saturation
from spinome.twophoton.place import learn_place
from spinome.twophoton.register import TURNABLE, as_stored, register
from spinome.twophoton.rotation import place
from spinome.twophoton.time_track import candidate_links, time_track, track_series
from spinome.twophoton.train import fit
from spinome.twophoton.training_images import held_out_fields, stack_view
from spinome.twophoton.truth import TIP_TO_HEAD_UM, distance_to_dendrites, read_truth_dendrites, read_truth_spines

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "twophoton" / "rr30a_upper"
FIELDS = DATA.parent / "spinedetector"
MODELS = REPOSITORY / "workflow" / "models"
SESSIONS = [str(number) for number in range(6)]
MAX_SHIFT_UM, GATE_UM, GAP_SESSIONS = 6.0, 1.5, 1
# boxes of the published cost: a head's box in pixels, and its gate
BOX_PX, PUBLISHED_GATE = 17.0, 0.5
JITTER_PX, TURN_DEG = 2.0, 0.3
# share of heads missed and of spurious points, and their jitter
MISSED, SPURIOUS, POINT_JITTER_PX = 0.2, 0.2, 1.5
DRAWS = 5
LARGE_VOXEL_UM = (1.0, 0.12, 0.12)
# what a given box is taken to measure, a head and 0.2 um around it as in training, and the steps that the shipped
# detector was trained for
BOX_UM, TRAINING_STEPS = 1.1, 500
# simulated series: the one that teaches the shipped judge (config/training/judge.yaml), and one that it has not seen
TAUGHT_SEED, UNSEEN_SEED = 901, 902
SIMULATED = {"days": [0, 3, 7], "slices": 44, "field_px": (420, 520), "filopodia": 0.12}
# annotated spines from tip to backbone: shorter ones are bumps on the shaft, longer ones reach as far as filopodia
SHORT_UM, LONG_UM = 1.2, 3.0
TIMED_STEPS = 6
# pixel of the field views as in the training, and the least score of a box in them
FIELD_PIXEL_UM, KEPT_IN_FIELDS = 0.073, 0.02
LEAST_IOUS = (0.5, 0.3)
ELASTIX = ["itk-elastix==0.23.0"]
ELASTIX_SCRIPT = """
import sys, time, numpy as np, itk
stack = np.load(sys.argv[1]).astype(np.float32)
parameters = itk.ParameterObject.New()
parameters.AddParameterMap(parameters.GetDefaultParameterMap("translation", 4))
shifts, reference = [np.zeros(2)], stack[0]
for image in stack[1:]:
    moved, result = itk.elastix_registration_method(reference, image, parameter_object=parameters)
    found = result.GetParameterMap(0)["TransformParameters"]
    shifts.append([-float(found[1]), -float(found[0])])
    reference = np.asarray(moved)
np.save(sys.argv[2], np.array(shifts))
"""


@cache
def sessions() -> tuple[list[np.ndarray], list[tuple[float, float, float]], list[pd.DataFrame]]:
    """Stacks, voxel sizes and annotated heads of the six sessions, the stacks registered as a run registers them.

    The annotated heads stay where they were clicked, as in the evaluation of a run: registration leaves the stack in
    place but for single slices.
    """
    opened = [open_stack(DATA / f"tp{name}.ome.tif") for name in SESSIONS]
    truths = [read_truth_spines(DATA / "spines.csv", name, stack.voxel_um) for name, stack in zip(SESSIONS, opened)]
    asked = complete({})["twophoton"]["registration"]
    stacks = []
    for stack in opened:
        pixel = stack.voxel_um[1:]
        reach = tuple(asked["max_shift_um"] / size for size in pixel)
        placed = register(stack.read(), reach, max_angle_deg=asked["max_rotation_deg"], pixel=pixel)
        stacks.append(as_stored(placed.stack, stack.dtype))
    return stacks, [stack.voxel_um for stack in opened], truths


def link(stacks: list[np.ndarray], voxels: list, truths: list[pd.DataFrame]) -> tuple[float, float]:
    """Link F1 and IDF1 of tracks through points."""
    return scores(follow(stacks, voxels, truths), truths)


def follow(stacks: list[np.ndarray], voxels: list, points: list[pd.DataFrame]) -> list[np.ndarray]:
    """The track of each point of each session."""
    places = [own[POSITION].to_numpy() for own in points]
    projections = [stack.max(axis=0) for stack in stacks]
    expected, _ = correspond_series(places, projections, voxels, MAX_SHIFT_UM, GATE_UM, GAP_SESSIONS)
    forward = {key: own[POSITION].to_numpy() for key, own in expected.groupby(["session", "other"]) if key[0] < key[1]}
    return time_track(candidate_links(forward, places, GATE_UM), [len(place) for place in places])[0]


def link_heads() -> tuple[float, float]:
    """Link F1 and IDF1 of tracks through annotated heads."""
    return link(*sessions())


def link_worn_heads() -> float:
    """Link F1 where heads are missed, moved and joined by spurious points; mean of `DRAWS` draws."""
    stacks, voxels, truths = sessions()
    return float(np.mean([link(stacks, voxels, worn(truths, voxels, seed))[0] for seed in range(DRAWS)]))


def link_given_heads() -> float:
    """Link F1 of tracks through annotated heads that are given as one box each, as the workflow takes them."""
    stacks, voxels, truths = sessions()
    given = []
    for truth, voxel in zip(truths, voxels):
        boxes = truth[["y_um", "x_um"]].assign(slice=(truth["z_um"] / voxel[0]).round().astype(int), score=1.0)
        given.append(given_spines(boxes.assign(side_um=BOX_UM, id=truth["track"]), voxel[0])[0])
    # candidates are numbered in the order in which the boxes have their ids
    return scores(follow(stacks, voxels, given), truths)[0]


def turnover_errors(
    stacks: list[np.ndarray],
    voxels: list,
    truths: list[pd.DataFrame],
    traced: list[pd.DataFrame],
    found: list[pd.DataFrame],
) -> tuple[float, float, float]:
    """Error of turnover, mean over pairs of sessions, of spines found beside the traced dendrites: by the model, as
    seen, and the share of pairs whose true turnover lies inside of the model's interval."""
    counted = []
    for own, dendrites in zip(found, traced):
        own = own[own["accepted"]].reset_index(drop=True)
        distance, node = cKDTree(dendrites[POSITION]).query(own[POSITION])
        owner = np.where(distance <= SCORED_UM, dendrites["dendrite"].to_numpy()[node], -1)
        counted.append(own.assign(dendrite=owner, along_um=0.0))
    places = [own[POSITION].to_numpy(float) for own in counted]
    projections = [stack.max(axis=0) for stack in stacks]
    expected, _ = correspond_series(places, projections, voxels, MAX_SHIFT_UM, GATE_UM, GAP_SESSIONS)
    sizes = [np.multiply(stack.shape, voxel) for stack, voxel in zip(stacks, voxels)]
    drawn = [own.assign(given=True, length_um=1.0)[NODE_COLUMNS] for own in traced]
    days = [(name, float(name)) for name in SESSIONS]
    spines, _, _ = track_series(counted, days, expected, sizes, drawn, GATE_UM)
    spines = spines.assign(specimen="rr30a", field="upper")
    timepoints = pd.DataFrame({"timepoint": SESSIONS, "day": [day for _, day in days]})
    table = turnover(spines, timepoints.assign(specimen="rr30a", field="upper"), GAP_SESSIONS)
    there = [set(truth["track"]) for truth in truths]
    true = np.array([len(one ^ other) / (len(one) + len(other)) for one, other in pairwise(there)])
    errors = [float((table[name] - true).mean()) for name in ("corrected_ratio", "turnover_ratio")]
    inside = (table["corrected_low"] <= true) & (true <= table["corrected_high"])
    return errors[0], errors[1], float(inside.mean())


def worn(truths: list[pd.DataFrame], voxels: list, seed: int) -> list[pd.DataFrame]:
    """Annotated heads as a poor detector would find them; spurious points lie 0.5 to 2 um beside a dendrite."""
    rng = np.random.default_rng(seed)
    out = []
    for name, truth, voxel in zip(SESSIONS, truths, voxels):
        kept = truth.loc[rng.random(len(truth)) >= MISSED, [*POSITION, "track"]]
        nodes = read_truth_dendrites(DATA / "dendrites.csv", name, voxel)[POSITION].to_numpy()
        count = rng.binomial(len(truth), SPURIOUS)
        angle, distance = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.5, 2.0, count)
        beside = np.column_stack([rng.normal(0, 1, count), distance * np.sin(angle), distance * np.cos(angle)])
        spurious = pd.DataFrame(nodes[rng.integers(len(nodes), size=count)] + beside, columns=POSITION).assign(track=-1)
        points = pd.concat([kept, spurious], ignore_index=True)
        points[POSITION] += rng.normal(0, POINT_JITTER_PX, (len(points), 3)) * [0, *voxel[1:]]
        out.append(points)
    return out


def link_heads_as_published() -> tuple[float, float]:
    """The same by SynapFlow's cost, 1.5 (-GIoU) + 0.3 of the z distance in slices over 10, in pairs of sessions.

    Boxes are brought over each other by the same coarse shift that is used here; SynapFlow's dense correspondence
    has a licence that forbids commercial use and is not run.
    """
    stacks, voxels, truths = sessions()
    places = [truth[POSITION].to_numpy() for truth in truths]
    projections = [stack.max(axis=0) for stack in stacks]
    _, shifts = correspond_series(places, projections, voxels, MAX_SHIFT_UM, GATE_UM, 0)
    tracks, following = [np.arange(len(places[0]))], len(places[0])
    for session in range(len(places) - 1):
        row = shifts[(shifts["session"] == session) & (shifts["other"] == session + 1)][POSITION].to_numpy()[0]
        first, second = (
            (place + move) / voxels[0] for place, move in ((places[session], row), (places[session + 1], 0))
        )
        cost = -1.5 * giou(first[:, 1:], second[:, 1:]) + 0.03 * np.abs(first[:, None, 0] - second[None, :, 0])
        rows, columns = linear_sum_assignment(cost)
        kept = cost[rows, columns] <= PUBLISHED_GATE
        ids = np.full(len(second), -1)
        ids[columns[kept]] = tracks[-1][rows[kept]]
        fresh = ids < 0
        ids[fresh] = following + np.arange(fresh.sum())
        following += int(fresh.sum())
        tracks.append(ids)
    return scores(tracks, truths)


def giou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Generalised intersection over union (Rezatofighi et al. 2019) of squares of `BOX_PX` around points (y, x)."""
    apart = np.abs(first[:, None] - second[None])
    inner, hull = np.maximum(BOX_PX - apart, 0).prod(axis=-1), (BOX_PX + apart).prod(axis=-1)
    union = 2 * BOX_PX**2 - inner
    return inner / union - (hull - union) / hull


def scores(tracks: list[np.ndarray], truths: list[pd.DataFrame]) -> tuple[float, float]:
    """Link F1 and IDF1 of tracks through the annotated heads."""
    times = np.repeat(np.arange(len(tracks)), [len(own) for own in tracks])
    true = np.concatenate([truth["track"] for truth in truths])
    points = pd.DataFrame({"time": times, "track": np.concatenate(tracks), "true": true})
    return link_f1(points), idf1(points)


def simulated(seed: int) -> tuple[list[np.ndarray], list[pd.DataFrame], list[pd.DataFrame]]:
    """Registered stacks of a simulated series, their candidates, and their true spines with the `kind` of each."""
    keys = complete({"phantom": {"specimens": {"s": {**SIMULATED, "seed": seed}}}})["phantom"]["specimens"]["s"]
    specimen = grow(keys)
    raw = [render_session(specimen, number) for number in range(len(specimen.days))]
    stacks = [register(stack, (12.0, 12.0)).stack for stack in raw]
    model, _ = load_detector(MODELS / "detector.safetensors")
    found = [find_spines(detect(stack, LARGE_VOXEL_UM, model), stack, LARGE_VOXEL_UM)[0] for stack in stacks]
    kinds = specimen.spines.set_index("spine")["kind"]
    with tempfile.TemporaryDirectory() as name:
        session_spines(specimen).to_csv(Path(name) / "truth.csv", index=False)
        truths = [read_truth_spines(Path(name) / "truth.csv", str(n), LARGE_VOXEL_UM) for n in range(len(stacks))]
    return stacks, found, [truth.assign(kind=truth["track"].map(kinds)) for truth in truths]


def find_simulated() -> dict[str, float]:
    """Scores of the shipped models on a simulated series that they have not seen, and recall of each kind of spine."""
    stacks, candidates, truths = simulated(UNSEEN_SEED)
    judge, count = load_model(MODELS / "judge.skops", FEATURES), len(stacks)
    sessions = [judge_stack(stack, LARGE_VOXEL_UM, own, judge) for stack, own in zip(stacks, candidates)]
    sizes = [np.multiply(stack.shape, LARGE_VOXEL_UM) for stack in stacks]
    projections = [stack.max(axis=0) for stack in stacks]
    sessions = agreed(sessions, projections, [LARGE_VOXEL_UM] * count, sizes, MAX_SHIFT_UM, GATE_UM)
    threshold = expected_threshold(np.concatenate([own["score"] for own in sessions]))
    accepted, hit = 0, []
    for own, truth in zip(sessions, truths):
        place = own.loc[own["score"] >= threshold, POSITION].to_numpy(float)
        _, columns = match_points(place, truth[POSITION].to_numpy(float), *REACH[""])
        accepted += len(place)
        hit.append(truth.assign(hit=np.isin(np.arange(len(truth)), columns)))
    together = pd.concat(hit)
    recall = together.groupby("kind")["hit"].mean().to_dict()
    hits = int(together["hit"].sum())
    whole = {"f1": 2 * hits / (accepted + len(together)), "recall": hits / len(together)}
    return {**recall, **whole, "precision": hits / max(accepted, 1)}


def find_and_score() -> dict[str, float]:
    """Scores of detection on all sessions, and of tracks through what was detected."""
    stacks, voxels, truths = sessions()
    traced = [read_truth_dendrites(DATA / "dendrites.csv", name, voxel) for name, voxel in zip(SESSIONS, voxels)]
    found = find_crossed(stacks, voxels, truths, traced)
    errors = turnover_errors(stacks, voxels, truths, traced, found)
    compared = []
    for name, own, truth, dendrites, voxel in zip(SESSIONS, found, truths, traced, voxels):
        none = own.head(0).assign(spine=0, head_volume_um3=0.0)
        pairs = compare(own, none, truth, dendrites, voxel[0])
        compared.append(pairs.assign(specimen="rr30a", field="upper", timepoint=name, day=float(name)))
    pairs = pd.concat(compared, ignore_index=True)
    rows = evaluation(pairs)
    values = {row["metric"]: row["value"] for row in rows}
    for row in rows:
        if row["metric"].startswith("detection_f1"):
            print(f"{row['metric']}: {row['value']:.3f}, interval {row['ci_low']:.3f} to {row['ci_high']:.3f}")
    values |= recall_by_length(pairs, truths)
    counted = [own[own["accepted"]].reset_index(drop=True) for own in found]
    tracks = follow(stacks, voxels, counted)
    for suffix, (lateral, slices) in REACH.items():
        points = [
            hits(own, ids, truth, dendrites, lateral, slices * voxel[0]).assign(time=time)
            for time, (own, ids, truth, dendrites, voxel) in enumerate(zip(counted, tracks, truths, traced, voxels))
        ]
        together = pd.concat(points, ignore_index=True)
        values |= {f"link_f1{suffix}": link_f1(together), f"idf1{suffix}": idf1(together)}
    return values | dict(zip(("turnover_error", "turnover_error_as_seen", "turnover_inside"), errors))


def recall_by_length(pairs: pd.DataFrame, truths: list[pd.DataFrame]) -> dict[str, float]:
    """Recall of annotated spines that are short and that are long, within 0.7 um and 2 slices."""
    annotated = pd.concat([truth.assign(timepoint=name) for name, truth in zip(SESSIONS, truths)])
    reach = annotated[POSITION].to_numpy() - annotated[[f"base_{axis}_um" for axis in "zyx"]].to_numpy()
    # from the head's centre, which lies so far inside of the tip
    annotated["length_um"] = np.linalg.norm(reach, axis=1) + TIP_TO_HEAD_UM
    found = pairs[pairs["accepted"] & (pairs["true"] >= 0)]
    found = set(zip(found["timepoint"], found["true"]))
    hit = np.array([key in found for key in zip(annotated["timepoint"], annotated["track"])])
    short, long = annotated["length_um"] < SHORT_UM, annotated["length_um"] > LONG_UM
    print(f"{short.sum()} short and {long.sum()} long annotated spines")
    return {"recall_short": float(hit[short].mean()), "recall_long": float(hit[long].mean())}


def find_crossed(
    stacks: list[np.ndarray], voxels: list, truths: list[pd.DataFrame], traced: list[pd.DataFrame]
) -> list[pd.DataFrame]:
    """Judged candidates of each session, those that count marked, cross-validated over the two dendrites.

    The shipped detector has seen nothing of `rr30a_upper`; the judge of each dendrite's candidates is trained on the
    other dendrite and on a simulated series, and the weights of its depths and places on the other dendrite. The
    threshold is that of the greatest expected F1, without a label, and how the sessions weigh on each other has no
    trained number.
    """
    model, _ = load_detector(MODELS / "detector.safetensors")
    candidates = [find_spines(detect(stack, voxel, model), stack, voxel)[0] for stack, voxel in zip(stacks, voxels)]
    candidates = [own[own["score"] >= LEAST_SCORE].reset_index(drop=True) for own in candidates]
    made = list(zip(*simulated(TAUGHT_SEED)))
    tables: list[list[pd.DataFrame]] = [[] for _ in stacks]
    for dendrite in np.unique(np.concatenate([own["dendrite"] for own in traced])):
        others = [truth[truth["dendrite"] != dendrite] for truth in truths]
        depths = [depth_examples(*own) for own in zip(stacks, voxels, candidates, others)]
        depth = learn_depth(*(np.concatenate(parts) for parts in zip(*depths)))
        places = [place_examples(*own, depth) for own in zip(stacks, voxels, candidates, others)]
        *around, offsets = (np.concatenate(parts) for parts in zip(*places))
        place = learn_place(around, offsets)
        found, features, nearest, scored, labels = [], [], [], [], []
        for stack, voxel, truth, dendrites, own in zip(stacks, voxels, truths, traced, candidates):
            spines, described = candidate_features(stack, voxel, own, depth, place)
            distance, node = cKDTree(dendrites[POSITION]).query(spines[POSITION])
            found.append(spines)
            features.append(described)
            nearest.append(dendrites["dendrite"].to_numpy()[node])
            scored.append(distance <= TRAINED_UM)
            labels.append(label_candidates(spines, truth, voxel[0]))
        used = [near & (own != dendrite) for near, own in zip(scored, nearest)]
        table = np.concatenate([own.to_numpy()[rows] for own, rows in zip(features, used)])
        label = np.concatenate([own[rows] for own, rows in zip(labels, used)])
        squares = np.concatenate([blocks(own, "rr30a")[rows] for own, rows in zip(found, used)])
        more = ("simulated", depth, place)
        taught = [examples(stack, LARGE_VOXEL_UM, own, truth, None, *more) for stack, own, truth in made]
        both = (np.concatenate(parts) for parts in zip((table, label, squares), *taught))
        count = sum(len(own) for own in others)
        which = np.repeat([False, True], [len(label), sum(len(own[1]) for own in taught)])
        forest, *_ = train_judge(*both, count, simulated=which)
        for session, own in enumerate(nearest):
            mine, described = found[session][own == dendrite], features[session][own == dendrite]
            probability = forest.predict_proba(described.to_numpy())[:, 1]
            tables[session].append(judged(mine, probability, voxels[session][0]))
    judged_sessions = [pd.concat(own, ignore_index=True) for own in tables]
    projections = [stack.max(axis=0) for stack in stacks]
    sizes = [np.multiply(stack.shape, voxel) for stack, voxel in zip(stacks, voxels)]
    placed = agreed(judged_sessions, projections, voxels, sizes, MAX_SHIFT_UM, GATE_UM)
    threshold = expected_threshold(np.concatenate([own["score"] for own in placed]))
    return [own.assign(accepted=own["score"] >= threshold) for own in placed]


def hits(
    spines: pd.DataFrame, tracks: np.ndarray, truth: pd.DataFrame, dendrites: pd.DataFrame, lateral: float, axial: float
) -> pd.DataFrame:
    """Tracked spines near the dendrites with the true spine that each hits, and the true spines missed."""
    place = spines[POSITION].to_numpy()
    rows, columns = match_points(place, truth[POSITION].to_numpy(), lateral, axial)
    true = np.full(len(spines), -1)
    true[rows] = truth["track"].to_numpy()[columns]
    scored = (true >= 0) | (distance_to_dendrites(place, dendrites) <= SCORED_UM)
    missed = np.delete(truth["track"].to_numpy(), columns)
    none = np.full(len(missed), -1)
    return pd.DataFrame({"track": np.append(tracks[scored], none), "true": np.append(true[scored], missed)})


def train_on_fields() -> Path:
    """The detector that the training rule makes of simulated sessions and of the field views that it does not hold out.

    The shipped one has seen most of them. Ten CPU-minutes, unless it has been made before.
    """
    target = "results/training/models/detector.safetensors"
    make("detector", target, REPOSITORY, "--config", f"twophoton={{training: {{fields: [{FIELDS}]}}}}")
    return REPOSITORY / target


def train_judge_from_nothing() -> float:
    """CPU-minutes of the rule that makes the shipped judge, its jobs and the simulated series included."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "resources").mkdir()
        (folder / "resources" / "rr30a_upper").symlink_to(DATA)
        (folder / "config").symlink_to(REPOSITORY / "config")
        target = "results/training/models/judge.skops"
        return make("judge", target, folder).cpu_s / 60


def make(recipe: str, target: str, folder: Path, *options: str) -> Measured:
    """Make a file in a folder by a recipe of `config/training`, on one core."""
    place = ["--snakefile", REPOSITORY / "Snakefile", "--directory", folder]
    given = ["--configfile", REPOSITORY / "config" / "training" / f"{recipe}.yaml", *options]
    return measure_command([sys.executable, "-m", "snakemake", *place, *given, "--cores", "1", "--", target], 7200)


def find_in_fields(detector: Path) -> list[float]:
    """Average precision at `LEAST_IOUS` on the field views of `spinedetector` that were held out in the training.

    They are held out in blocks by image number. A view of unknown pixel size is taken to have that of the training
    views, and boxes are compared as they were drawn.
    """
    model, _ = load_detector(detector)
    fields = list(read_fields(FIELDS))
    per_view = []
    for (image, true, _), held_out in zip(fields, held_out_fields([field.group for field in fields])):
        if held_out:
            found = detect(image[None], (1.0, FIELD_PIXEL_UM, FIELD_PIXEL_UM), model, KEPT_IN_FIELDS)
            centre, half = found[["x_um", "y_um"]].to_numpy() / FIELD_PIXEL_UM + 0.5, found["side_um"].to_numpy() / 2
            boxes = np.hstack([centre - half[:, None] / FIELD_PIXEL_UM, centre + half[:, None] / FIELD_PIXEL_UM])
            per_view.append((boxes, found["score"].to_numpy(), true))
    score = np.concatenate([own for _, own, _ in per_view])
    truths = sum(len(true) for _, _, true in per_view)
    return [
        average_precision(score, np.concatenate([match_boxes(*own, least) for own in per_view]), truths)
        for least in LEAST_IOUS
    ]


def whole_stack(path: Path) -> int:
    """One stack from its file to measured spines."""
    model, _ = load_detector(MODELS / "detector.safetensors")
    judge = load_model(MODELS / "judge.skops", FEATURES)
    opened = open_stack(path)
    raw = opened.read()
    placed = register(raw, (12.0, 12.0)).stack
    spines, _ = find_spines(detect(placed, opened.voxel_um, model), placed, opened.voxel_um)
    spines = judge_stack(placed, opened.voxel_um, spines, judge)
    spines = spines[spines["score"] >= expected_threshold(spines["score"].to_numpy())]
    return len(measure_spines(placed, opened.voxel_um, spines, 0.4, 2.0, saturation(raw)))


def write_large(path: Path) -> None:
    """A stack of 70 x 1024 x 1024: the first session and its mirror images side by side."""
    stack = open_stack(DATA / "tp0.ome.tif").read()[:70]
    padding = [(0, 0)] + [(0, size - length) for size, length in zip((1024, 1024), stack.shape[1:])]
    metadata = {"axes": "ZYX", **{f"PhysicalSize{axis}": size for axis, size in zip("ZYX", LARGE_VOXEL_UM)}}
    metadata |= {f"PhysicalSize{axis}Unit": "µm" for axis in "ZYX"}
    tifffile.imwrite(path, np.pad(stack, padding, mode="symmetric"), ome=True, metadata=metadata)


def track_through_depth() -> float:
    """IDF1 of depth tracking on annotated boxes of `depth_boxes`, in pixels, mean over its stacks weighted by boxes."""
    boxes = pd.read_csv(DATA.parent / "depth_boxes" / "annotated.csv")
    boxes["x_um"], boxes["y_um"] = ((boxes[f"{axis}min"] + boxes[f"{axis}max"]) / 2 for axis in ("x", "y"))
    boxes["side_um"] = np.sqrt((boxes["xmax"] - boxes["xmin"]) * (boxes["ymax"] - boxes["ymin"]))
    shares = []
    for _, own in boxes.groupby("stack"):
        points = pd.DataFrame({"time": own["slice"], "track": overlap_track(own), "true": own["id"]})
        shares.append((len(own), idf1(points)))
    sizes, values = np.array(shares).T
    return float(np.average(values, weights=sizes))


def size_against_truth() -> tuple[float, float]:
    """Change of the head volume as boxes are padded by 1 and by 6 px (median), and its correlation with the truth.

    Balls of known volume beside a cylinder under a Gaussian point-spread function, found through padded boxes.
    """
    radii = np.linspace(0.15, 0.5, 20)
    heads = np.column_stack([np.full(20, 8.0), np.where(np.arange(20) % 2, 4.1, 7.5), 2.4 + 2.0 * np.arange(20)])
    stack, voxel = balls(heads, radii), (1.0, 0.12, 0.12)
    volumes = []
    for padding in (1, 6):
        boxes = pd.concat(
            [pd.DataFrame(heads[:, 1:], columns=["y_um", "x_um"]).assign(slice=z, score=0.9) for z in (7, 8, 9)],
            ignore_index=True,
        ).assign(side_um=np.tile(2 * radii + 2 * padding * voxel[1], 3))
        spines, _ = find_spines(boxes, stack, voxel)
        measured = measure_spines(stack, voxel, spines, 0.4, 2.0)
        volumes.append(measured.sort_values("x_um")["head_volume_um3"].to_numpy())
    change = np.abs(volumes[1] / volumes[0] - 1)
    return float(np.median(change)), float(np.corrcoef(volumes[0], 4 / 3 * np.pi * radii**3)[0, 1])


def balls(heads: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Uniform balls (N, 3) in um beside a straight shaft of 1 um, blurred (0.4 and 2.0 um) and with photon noise."""
    spacing, shape = np.array([0.25, 0.12, 0.12]), (64, 96, 360)
    z, y, x = (axis * size for axis, size in zip(np.ogrid[tuple(slice(length) for length in shape)], spacing))
    body = np.clip((0.5 - np.hypot(z - 8.0, y - 5.8)) / 0.12 + 0.5, 0, 1) * np.ones_like(x)
    for (hz, hy, hx), radius in zip(heads, radii):
        distance = np.sqrt((z - hz) ** 2 + (y - hy) ** 2 + (x - hx) ** 2)
        body = np.maximum(body, np.clip((radius - distance) / 0.12 + 0.5, 0, 1))
    light = ndimage.gaussian_filter(body, np.array([2.0, 0.4, 0.4]) / 2.3548 / spacing)[::4]
    return np.random.default_rng(0).poisson(200 * light + 5).astype(np.float32)


def train_a_little(steps: int) -> None:
    """Optimiser steps of the detector's training on one annotated stack, for their cost alone."""
    stacks, voxels, truths = sessions()
    views = [stack_view(stacks[0], voxels[0], truths[0])]
    with tempfile.TemporaryDirectory() as name:
        fit(views, views, steps, Path(name) / "checkpoint.pt", "cost", report_every=10 * steps)


def jittered(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Ten slices of texture that changes with depth as focus does, 512 x 512, moved by known shifts."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.standard_normal((10, 512, 512)), (1.5, 2.0, 2.0))
    stack = 20 + 200 * np.maximum(texture / texture.std() - 0.5, 0)
    jitter = rng.normal(0, JITTER_PX, (10, 2))
    stack = np.stack([ndimage.shift(image, step, order=3, mode="nearest") for image, step in zip(stack, jitter)])
    stack = rng.poisson(np.maximum(stack, 0)).astype(np.uint16)
    np.save(folder / "stack.npy", stack)
    return stack, jitter


def error(found: np.ndarray, jitter: np.ndarray) -> float:
    """Root mean square of what is left of the jitter, in pixels, a common shift aside."""
    left = found + jitter
    return float(np.sqrt(((left - left.mean(axis=0)) ** 2).mean()))


def register_jittered(stack: np.ndarray) -> np.ndarray:
    """Shifts found by this program."""
    return register(stack, (12.0, 12.0)).shifts_px


def turned(stack: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slices turned by `TURN_DEG` (standard deviation), and the angles in degrees."""
    angles = np.random.default_rng(1).normal(0, TURN_DEG, len(stack))
    slices = [place(image, np.zeros(2), angle) for image, angle in zip(stack.astype(np.float32), angles)]
    return np.stack(slices), angles


def left_of_turns(stack: np.ndarray) -> float:
    """Root mean square of what registration leaves of the turns of `turned`, in pixels at half the image's width.

    Of slices that are alike enough to be turned; the others are left as they are.
    """
    slices, angles = turned(stack)
    registered = register(slices, (12.0, 12.0), max_angle_deg=10 * TURN_DEG)
    left = (registered.angles_deg + angles)[registered.quality >= TURNABLE]
    return float(np.std(left) * np.pi / 180 * max(stack.shape[1:]) / 2)


def elastix(folder: Path, jitter: np.ndarray) -> tuple[str, float | None, float | None]:
    """Name, error and CPU-seconds per slice of elastix on the same stack, each slice against the one before it."""
    try:
        python = peer_python("elastix", ELASTIX)
    except PeerUnavailable as reason:
        return f"elastix, not run: {reason}", None, None
    (folder / "run.py").write_text(ELASTIX_SCRIPT)
    measured = measure_command([python, folder / "run.py", folder / "stack.npy", folder / "shifts.npy"])
    name = "elastix, translation, slice to slice"
    return name, error(np.load(folder / "shifts.npy"), jitter), measured.cpu_s / len(jitter)


if __name__ == "__main__":
    ours, published = measure(link_heads).result, measure(link_heads_as_published).result
    poor = measure(link_worn_heads).result
    given = measure(link_given_heads).result
    found = measure(find_and_score).result
    made = measure(find_simulated).result
    strict, loose = measure(find_in_fields, train_on_fields()).result
    whole = measure(whole_stack, DATA / "tp0.ome.tif")
    depth = measure(track_through_depth).result
    change, correlation = measure(size_against_truth).result
    training = measure(train_a_little, TIMED_STEPS).cpu_s / TIMED_STEPS * TRAINING_STEPS / 60
    judge_training = train_judge_from_nothing()
    with tempfile.TemporaryDirectory() as name:
        write_large(Path(name) / "large.ome.tif")
        large = measure(whole_stack, Path(name) / "large.ome.tif")
        stack, jitter = jittered(Path(name))
        registered = measure(register_jittered, stack)
        texture_turns = left_of_turns(stack)
        peer, peer_error, peer_cpu = elastix(Path(name), jitter)
    real_turns = left_of_turns(open_stack(DATA / f"tp{SESSIONS[0]}.ome.tif").read())
    cost = "SynapFlow's time cost, reimplemented, on the same coarse shifts"
    heads = "annotated heads of rr30a_upper"
    wear = "20 % missed, 20 % spurious beside the dendrite, 1.5 px jitter"
    detection = "detection on rr30a_upper, within 3 um of the dendrites,"
    jitter_row = "registration of jittered slices, 512 x 512,"
    turn_row = f"error at half the width of slices turned by {TURN_DEG} degrees,"
    ends = "end to end on rr30a_upper, own detections, hits within"
    fields = "spinedetector, blocks by image number held out"
    unseen = "detection on a simulated series that no model has seen"
    human = "agreement of human raters (published, DeepD3)"
    write_rows(
        "twophoton",
        [
            Row(f"link F1, {heads}", ours[0], "", 0.94, False, cost, published[0]),
            Row(f"IDF1, {heads}", ours[1], "", 0.92, False, cost, published[1]),
            Row(f"link F1, {heads}, {wear}", poor, "", 0.80),
            Row(f"link F1, {heads}, given as boxes", given, "", 0.93),
            Row(f"F1 of {detection} 0.7 um and 2 slices", found["detection_f1"], "", 0.82, False, human, 0.82),
            Row(f"F1 of {detection} 1.0 um and 3 slices", found["detection_f1_loose"], "", 0.87, False, human, 0.82),
            Row(f"F1 of {unseen}, 0.7 um and 2 slices", made["f1"], "", 0.7),
            Row(f"recall of {unseen}, all spines", made["recall"], "", 0.64),
            Row(f"recall of {unseen}, filopodia", made["filopodium"], ""),
            Row(f"recall of {unseen}, stubby spines", made["stubby"], ""),
            Row(f"recall of {detection} spines longer than {LONG_UM:g} um", found["recall_long"], ""),
            Row(f"recall of {detection} spines shorter than {SHORT_UM:g} um", found["recall_short"], ""),
            Row(f"AP50 of detection on {fields}", strict, "", 0.52),
            Row(f"AP30 of detection on {fields}", loose, "", 0.70),
            Row(f"link F1, {ends} 0.7 um and 2 slices", found["link_f1"], "", 0.75),
            Row(f"IDF1, {ends} 0.7 um and 2 slices", found["idf1"], "", 0.75),
            Row(f"link F1, {ends} 1.0 um and 3 slices", found["link_f1_loose"], "", 0.75),
            Row(f"IDF1, {ends} 1.0 um and 3 slices", found["idf1_loose"], "", 0.75),
            Row(
                "turnover on rr30a_upper, own detections, error, mean over pairs",
                abs(found["turnover_error"]),
                "",
                0.03,
                True,
                "counted as seen",
                abs(found["turnover_error_as_seen"]),
            ),
            Row("the same, pairs whose true turnover lies inside of the interval", found["turnover_inside"], "", 0.9),
            Row(
                "turnover on rr30a_upper, own detections, counted as seen, error, mean over pairs",
                abs(found["turnover_error_as_seen"]),
                "",
                0.03,
                True,
            ),
            Row("IDF1 of depth tracking, annotated boxes of depth_boxes", depth, "", 0.994),
            Row("head volume on simulated balls, change from 1 to 6 px of padding, median", change, "", 0.05, True),
            Row("head volume on simulated balls, correlation with the true volume", correlation, "", 0.9),
            Row("stack of 70 x 320 x 694, file to measured spines", whole.cpu_s, "CPU-s", 60, True),
            Row("stack of 70 x 1024 x 1024, file to measured spines", large.cpu_s, "CPU-s", 120, True),
            Row("the same, memory at its highest", large.peak_mb / 1000, "GB", 3.0, True),
            Row(
                f"training of the detector, {TRAINING_STEPS} steps, from the cost of {TIMED_STEPS}",
                training,
                "CPU-min",
                90,
                True,
            ),
            Row("the same and of the judge by its rule, from nothing", training + judge_training, "CPU-min", 90, True),
            Row(f"{jitter_row} error", error(registered.result, jitter), "px", 0.25, True, peer, peer_error),
            Row(f"{turn_row} jittered too, 512 x 512", texture_turns, "px", 0.25, True),
            Row(f"{turn_row} first session of rr30a_upper, slices that are alike", real_turns, "px", 0.25, True),
            Row(f"{jitter_row} a slice", registered.cpu_s / len(jitter), "CPU-s", 0.06, True, peer, peer_cpu),
        ],
    )
