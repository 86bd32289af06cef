"""Time linking, detection and registration of the twophoton branch on real stacks, beside the published steps."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

from runner import PeerUnavailable, Row, measure, measure_command, peer_python, write_rows
from spinome.io.stacks import open_stack
from spinome.scores.tracking import idf1, link_f1
from spinome.twophoton.correspond import POSITION, correspond_series
from spinome.twophoton.depth_track import find_spines
from spinome.twophoton.detect import detect
from spinome.twophoton.detector import load_detector
from spinome.twophoton.evaluate import compare, evaluation
from spinome.twophoton.measure import measure as measure_spines
from spinome.twophoton.measure import saturation
from spinome.twophoton.register import register
from spinome.twophoton.time_track import candidate_links, time_track
from spinome.twophoton.truth import read_truth_dendrites, read_truth_spines

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "twophoton" / "rr30a_upper"
SESSIONS = [str(number) for number in range(6)]
MAX_SHIFT_UM, GATE_UM, GAP_SESSIONS = 6.0, 1.5, 1
# boxes of the published cost: a head's box in pixels, and its gate
BOX_PX, PUBLISHED_GATE = 17.0, 0.5
JITTER_PX = 2.0
# share of heads missed and of spurious points, and their jitter
MISSED, SPURIOUS, POINT_JITTER_PX = 0.2, 0.2, 1.5
DRAWS = 5
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


def sessions() -> tuple[list[np.ndarray], list[tuple[float, float, float]], list[pd.DataFrame]]:
    """Stacks, voxel sizes and annotated heads of the six sessions."""
    opened = [open_stack(DATA / f"tp{name}.ome.tif") for name in SESSIONS]
    truths = [read_truth_spines(DATA / "spines.csv", name, stack.voxel_um) for name, stack in zip(SESSIONS, opened)]
    return [stack.read() for stack in opened], [stack.voxel_um for stack in opened], truths


def link(stacks: list[np.ndarray], voxels: list, truths: list[pd.DataFrame]) -> tuple[float, float]:
    """Link F1 and IDF1 of tracks through points."""
    places = [truth[POSITION].to_numpy() for truth in truths]
    projections = [stack.max(axis=0) for stack in stacks]
    expected, _ = correspond_series(places, projections, voxels, MAX_SHIFT_UM, GATE_UM, GAP_SESSIONS)
    forward = {key: own[POSITION].to_numpy() for key, own in expected.groupby(["session", "other"]) if key[0] < key[1]}
    tracks, _ = time_track(candidate_links(forward, places, GATE_UM), [len(place) for place in places])
    return scores(tracks, truths)


def link_heads() -> tuple[float, float]:
    """Link F1 and IDF1 of tracks through annotated heads."""
    return link(*sessions())


def link_worn_heads() -> float:
    """Link F1 where heads are missed, moved and joined by spurious points; mean of `DRAWS` draws."""
    stacks, voxels, truths = sessions()
    return float(np.mean([link(stacks, voxels, worn(truths, voxels, seed))[0] for seed in range(DRAWS)]))


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


def find_and_score() -> dict[str, float]:
    """Detection scores of the shipped detector on all sessions."""
    model, facts = load_detector(REPOSITORY / "workflow" / "models" / "detector.safetensors")
    stacks, voxels, truths = sessions()
    tables = []
    for name, stack, voxel, truth in zip(SESSIONS, stacks, voxels, truths):
        spines, _ = find_spines(detect(stack, voxel, model), stack, voxel)
        spines["counts"] = spines["score"] >= facts["threshold"]
        none = spines.head(0).assign(spine=0, head_volume_um3=0.0)
        dendrites = read_truth_dendrites(DATA / "dendrites.csv", name, voxel)
        own = compare(spines, none, truth, dendrites, voxel[0])
        tables.append(own.assign(specimen="rr30a", field="upper", timepoint=name, day=float(name)))
    return {row["metric"]: row["value"] for row in evaluation(pd.concat(tables, ignore_index=True))}


def whole_stack() -> int:
    """One stack from its file to measured spines."""
    model, facts = load_detector(REPOSITORY / "workflow" / "models" / "detector.safetensors")
    opened = open_stack(DATA / "tp0.ome.tif")
    raw = opened.read()
    placed = register(raw, (12.0, 12.0)).stack
    spines, _ = find_spines(detect(placed, opened.voxel_um, model), placed, opened.voxel_um)
    spines = spines[spines["score"] >= facts["threshold"]]
    return len(measure_spines(placed, opened.voxel_um, spines, 0.4, 2.0, saturation(raw)))


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


def elastix(folder: Path, jitter: np.ndarray) -> tuple[str, float | None, float | None]:
    """Name, error and CPU-seconds a slice of elastix on the same stack, each slice against the one before it."""
    try:
        python = peer_python("elastix", ELASTIX)
    except PeerUnavailable as reason:
        return f"elastix, not run: {reason}", None, None
    (folder / "run.py").write_text(ELASTIX_SCRIPT)
    measured = measure_command([python, folder / "run.py", folder / "stack.npy", folder / "shifts.npy"])
    name = "elastix, translation, slice to slice"
    return name, error(np.load(folder / "shifts.npy"), jitter), measured.cpu_s / len(jitter)


if __name__ == "__main__":
    import tempfile

    ours, published = measure(link_heads).result, measure(link_heads_as_published).result
    poor = measure(link_worn_heads).result
    found = measure(find_and_score).result
    whole = measure(whole_stack)
    with tempfile.TemporaryDirectory() as name:
        stack, jitter = jittered(Path(name))
        registered = measure(register_jittered, stack)
        peer, peer_error, peer_cpu = elastix(Path(name), jitter)
    cost = "SynapFlow's time cost, reimplemented, on the same coarse shifts"
    heads = "annotated heads of rr30a_upper"
    wear = "20 % missed, 20 % spurious beside the dendrite, 1.5 px jitter"
    detection = "detection on rr30a_upper, within 3 um of the dendrites,"
    jitter_row = "registration of jittered slices, 512 x 512,"
    human = "agreement of human raters (published, DeepD3)"
    write_rows(
        "twophoton",
        [
            Row(f"link F1, {heads}", ours[0], "", 0.94, False, cost, published[0]),
            Row(f"IDF1, {heads}", ours[1], "", 0.92, False, cost, published[1]),
            Row(f"link F1, {heads}, {wear}", poor, "", 0.80),
            Row(f"F1 of {detection} 0.7 um and 2 slices", found["detection_f1"], "", 0.82, False, human, 0.82),
            Row(f"F1 of {detection} 1.0 um and 3 slices", found["detection_f1_loose"], "", 0.86, False, human, 0.82),
            Row("stack of 70 x 320 x 694, file to measured spines", whole.cpu_s, "CPU-s", 60, True),
            Row(f"{jitter_row} error", error(registered.result, jitter), "px", 0.25, True, peer, peer_error),
            Row(f"{jitter_row} a slice", registered.cpu_s / len(jitter), "CPU-s", 0.06, True, peer, peer_cpu),
        ],
    )
