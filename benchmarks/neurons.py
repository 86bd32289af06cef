"""Meshes to signatures, labels and spines: against meshmash, the dense truth, and labels made by eye."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.linalg
from sklearn.model_selection import GroupKFold

from runner import BENCHMARKS, ENVIRONMENTS, PeerUnavailable, Row, measure, measure_command, write_rows
from simulated import grow
from spinome.configuration.phantom import Specimen
from spinome.io.cave import POSITION, read_synapses
from spinome.io.meshes import read_mesh, write_mesh
from spinome.mesh.hks import TIMES_NM2, log_hks
from spinome.mesh.laplacian import mesh_laplacian, normalised
from spinome.mesh.nearest_point import nearest_on_surface
from spinome.mesh.surface import Mesh
from spinome.mesh.welding import weld
from spinome.neurons import truth
from spinome.neurons.classes import CLASSES
from spinome.neurons.classify import class_probabilities, domain_features, load_forest, train_forest, vertex_examples
from spinome.neurons.condense import condense
from spinome.neurons.evaluate import compare_spines, evaluation
from spinome.neurons.features import storage_table
from spinome.neurons.pipeline import condense_mesh, label_neuron
from spinome.neurons.simplify import simplify
from spinome.neurons.spines import find_spines, label_mesh
from spinome.neurons.validation_groups import branches
from spinome.phantom.mesh import mesh_synapses, neuron_mesh
from spinome.retrieve.neuron_hks import label_dendrite
from spinome.scores.classification import accuracy, f1_scores, recall, weighted_f1

REPOSITORY = BENCHMARKS.parent
DATA = Path(os.environ.get("SPINOME_DATA", REPOSITORY.parent / "shared" / "data")) / "neurons"
RETRIEVED = REPOSITORY / "resources" / "meshparty"
DENDRITE, LABELLED = DATA / "dendrite_sample.gltf", DATA / "864691134900032266_labelled.npz"
NEURON = DATA / "648518346349539862"
BIG = RETRIEVED / "648518346349499581"
BY_EYE = DATA / "648518346349499581_synapse_labels.csv"
MODEL = REPOSITORY / "workflow" / "models" / "neurons.skops"
PUBLISHED = {"solver": "bands", "max_vertices": 20_000, "overlap_nm": 20_000.0, "max_overlapping": 60_000}
FIFTHS = [0.2, 0.4, 0.6, 0.8]
# the shipped forest was neither trained nor chosen on specimens of these seeds
UNSEEN_SEEDS = (101, 102, 103)
# vertices per um^2 that a mesh is simplified to, of which 7 to 8 thousand of such a neuron are left
COARSE = 5.0
PEER = "meshmash==0.1.0"
PEER_SCRIPT = """
import sys, time, numpy as np
from meshmash import condensed_hks_pipeline
mesh = np.load(sys.argv[1])
for _ in range(2):  # the second call finds all libraries loaded, as the one measured here does
    started = time.process_time()
    result = condensed_hks_pipeline((mesh["vertices"], mesh["faces"]), n_jobs=1)
labels = np.asarray(result.labels)
print(time.process_time() - started, np.mean(labels >= 0))
"""
# specimens that nothing was chosen on; on the grid of the mesh all their necks hold
SIZED_SEEDS = (32, 33)
SIZES = ["volume_um3", "head_diameter_nm", "neck_length_nm", "neck_diameter_nm"]
# largest eigenvalue of the published features, nm^-2
CUTOFF = 1e-5
# cells and cost of the published census, and what a core costs per hour here: a common price of the large clouds
CELLS, CENSUS_DOLLARS, DOLLARS_PER_CORE_HOUR = 75_241, 500.0, 0.04


def features(path: str, reduction: float | None = None) -> tuple[float, int]:
    """Condensed signatures from mesh to domains; the fraction of the mesh's vertices that have them, and how many."""
    mesh = read_mesh(path)
    domains = condense_mesh(mesh, reduction)
    covered = np.isfinite(domains.log_hks[domains.label]).all(axis=1).mean()
    return float(covered), len(mesh.vertices)


def label_files(mesh_file: str, synapse_file: str) -> int:
    """A neuron from its files to its labelled synapses and measured spines, every vertex kept; how many labels."""
    neuron = label_neuron(read_mesh(mesh_file), load_forest(MODEL), read_synapses(synapse_file))
    return int(neuron.synapses["tag"].notna().sum())


def shipped_labels(
    mesh: Mesh, points: np.ndarray, vertices_per_um2: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The class (N,) that the shipped forest gives to points on a mesh, and their distance (N,) from it in nm.

    Parameters
    ----------
    vertices_per_um2 : density that the mesh is simplified to first; the labels are those of the mesh as given
    """
    domains = condense_mesh(mesh, vertices_per_um2=vertices_per_um2)
    vertex, distance = nearest_on_surface(mesh.vertices, mesh.faces, points)
    probability = class_probabilities(load_forest(MODEL), domain_features(domains))
    labelled, _ = label_mesh(mesh, probability[domains.label])
    return labelled.label[vertex].astype(int), distance


def by_eye() -> tuple[np.ndarray, float]:
    """Confusion (3, 4) and share covered of the synapses labelled by eye."""
    table = truth.read_synapse_truth(BY_EYE)
    found, distance = shipped_labels(read_mesh(f"{BIG}_mesh.npz"), table[truth.POINT].to_numpy(float))
    return confusion_of(table["label"].to_numpy(), found), float((distance <= 300).mean())


def simulated_unseen(vertices_per_um2: float | None = None) -> np.ndarray:
    """Confusion (3, 4) of the synapses of simulated neurons of unseen seeds, on meshes simplified to a density."""
    confusion = np.zeros((3, 4))
    for seed in UNSEEN_SEEDS:
        settings = Specimen(seed=seed, days=[0], passing_dendrites=0).model_dump()
        grid, specimen = settings["mesh_grid_nm"], grow(settings)
        table = mesh_synapses(specimen)
        found, _ = shipped_labels(neuron_mesh(specimen, grid), table[POSITION].to_numpy(float), vertices_per_um2)
        confusion += confusion_of(table["tag"].map(CLASSES.index).to_numpy(), found)
    return confusion


def confusion_of(label: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Counts (3, 4) of true against found classes."""
    confusion = np.zeros((len(CLASSES), len(CLASSES) + 1))
    np.add.at(confusion, (label, found), 1)
    return confusion


def simulated_spines() -> tuple[pd.DataFrame, int, int, int]:
    """Sizes found and drawn of the spines of two simulated neurons, and how many are true, found and matched.

    The regions are the true ones, so that this tells of the spines alone and not of the labels. What was drawn is
    nominal: the surface is rough, and the lobe of a head makes it wider than its ball.
    """
    pairs, spines = [], []
    for seed in SIZED_SEEDS:
        settings = Specimen(seed=seed).model_dump()
        grid, specimen = settings["mesh_grid_nm"], grow(settings)
        mesh = neuron_mesh(specimen, grid)
        true = mesh.vertex_data["spine_id"].astype(int)
        found, table = find_spines(mesh, true >= 0, (true >= 0) * 1.0)
        spines.append(compare_spines(str(seed), mesh, found, true))
        both = pd.DataFrame({"found": found, "true": true})[found >= 0]
        drawn = specimen.spines.set_index("spine").loc[both.groupby("found")["true"].agg(lambda ids: ids.mode()[0])]
        pairs.append(pd.concat([table[SIZES], drawn[SIZES].add_suffix("_drawn").reset_index(drop=True)], axis=1))
    return pd.concat(pairs), *(int(pd.concat(spines)[name].sum()) for name in ("true", "found", "matched"))


def extracted_spines() -> dict[str, float]:
    """Spines found in the labelled regions of the labelled neuron against those extracted by others."""
    mesh, _ = weld(read_mesh(str(LABELLED)))
    spine = truth.read_vertex_truth(LABELLED, mesh).spine
    found, _ = find_spines(mesh, spine >= 0, (spine >= 0) * 1.0)
    rows = evaluation(pd.DataFrame({"kind": []}), compare_spines("labelled", mesh, found, spine))
    return {row["metric"]: row["value"] for row in rows}


def placed_synapses(count: int = 200_000) -> float:
    """Synapses placed on the surface of the 693,038-vertex neuron in a CPU-minute, the tree of its faces included."""
    mesh, table = read_mesh(f"{NEURON}_mesh.npz"), read_synapses(f"{NEURON}_synapses.parquet")
    rng = np.random.default_rng(0)
    points = table[POSITION].to_numpy(float)[rng.integers(len(table), size=count)] + rng.normal(0, 50, (count, 3))
    nearest_on_surface(mesh.vertices, mesh.faces, points[:10])  # compiled before the clock starts
    started = time.process_time()
    nearest_on_surface(mesh.vertices, mesh.faces, points)
    return count / (time.process_time() - started) * 60


def spine_rows() -> list[Row]:
    """Rows of the spines as instances and of the synapses on the surface."""
    pairs, true, found, matched = measure(simulated_spines).result
    rows = []
    for name in SIZES:
        both = pairs[[name, f"{name}_drawn"]].dropna()
        error = (both[name] / both[f"{name}_drawn"] - 1).abs().median()
        what = f"simulated spines, {name}, as drawn, n = {len(both)} (median error {100 * error:.1f} %)"
        rows.append(Row(what, both[name].corr(both[f"{name}_drawn"]), "correlation"))
    rows.append(Row(f"simulated spines, one by one in the true regions, {found} found", matched / true, "recall"))
    extracted = measure(extracted_spines).result
    name = "204 spines extracted by others, in the regions of all of them"
    rows += [
        Row(f"{name}, matched", extracted["spine_recall"], "recall"),
        Row(f"{name}, in two or more of ours", extracted["spine_split"], "fraction"),
        Row(f"{name}, merged with another by us", extracted["spine_merged"], "fraction"),
    ]
    rate = measure(placed_synapses).result
    rows.append(Row("synapses on their nearest point of the surface, 693,038 vertices", rate, "a CPU-minute", 1e6))
    return rows


def against_dense(vertices: int = 4500) -> dict[str, tuple[float, float]]:
    """Median and 99th percentile of the error of log HKS on a piece of real dendrite, by solver.

    The truth is the whole spectrum of the same Laplacian, of `truncated` its part up to the published cutoff.
    """
    mesh = read_mesh(str(DENDRITE))
    axis = np.ptp(mesh.vertices, axis=0).argmax()
    inside = mesh.vertices[:, axis] <= np.sort(mesh.vertices[:, axis])[vertices]
    piece = simplify(Mesh(mesh.vertices, mesh.faces[inside[mesh.faces].all(axis=1)]))
    stiffness, mass = mesh_laplacian(piece.vertices, piece.faces)
    values, vectors = scipy.linalg.eigh(normalised(stiffness, mass).toarray())
    squared, kernel = vectors**2 / mass[:, None], np.exp(-np.outer(np.maximum(values, 0), TIMES_NM2))
    low = values <= CUTOFF
    exact, cut = np.log(squared @ kernel), np.log(squared[:, low] @ kernel[low])
    errors = {}
    for name, options, expected in (
        ("selected_inversion", {}, exact),
        ("bands", {"solver": "bands"} | PUBLISHED, exact),
        ("truncated", {"cutoff": CUTOFF}, cut),
    ):
        error = np.abs(log_hks(piece.vertices, piece.faces, **options) - expected)
        errors[name] = float(np.median(error)), float(np.quantile(error, 0.99))
    return errors


def storage() -> pd.Series:
    """How many times smaller the compressed features of the labelled neuron are than gzip, and what they lose."""
    small = simplify(read_mesh(str(LABELLED)))
    log = log_hks(small.vertices, small.faces)
    domains = condense(small.vertices, small.faces, log)
    return storage_table(log, domains.log_hks, domains.label).set_index("form").loc["compressed"]


def agreement_with_published() -> list[np.ndarray]:
    """Confusions over the vertices of a dendrite with the published model's labels, in five folds along it."""
    mesh = label_dendrite(DENDRITE)
    along = mesh.vertices[:, np.ptp(mesh.vertices, axis=0).argmax()]
    return held_out(mesh, mesh.vertex_data["label"].astype(int), np.searchsorted(np.quantile(along, FIFTHS), along))


def agreement_by_branch() -> list[np.ndarray]:
    """Confusions over the vertices of the labelled neuron in five folds over its branches, cubes in its soma."""
    mesh = read_mesh(str(LABELLED))
    label = truth.read_vertex_truth(LABELLED, mesh).label
    return held_out(mesh, label, branches(mesh, label == CLASSES.index("soma")))


def held_out(mesh: Mesh, label: np.ndarray, group: np.ndarray) -> list[np.ndarray]:
    """Confusions of five folds over groups, each labelled by a forest trained on the vertices of the other folds.

    A domain belongs to the group of its first vertex, so that no domain is in two folds.
    """
    domains = condense_mesh(mesh)
    described, domain_of = domain_features(domains), domains.label
    group = group[np.unique(domain_of, return_index=True)[1]][domain_of]
    confusions = []
    for seen, unseen in GroupKFold(5).split(label, groups=group):
        examples = vertex_examples(described, domain_of[seen], label[seen], group[seen], "neuron")
        probability = class_probabilities(train_forest(examples, 0), described)
        confusions.append(confusion_of(label[unseen], probability[domain_of[unseen]].argmax(axis=1)))
    return confusions


def chain(folder: Path) -> Path:
    """Four copies of the dendrite, end to end: the last vertex of each is the first of the next."""
    mesh = read_mesh(str(DENDRITE))
    along = mesh.vertices[:, np.ptp(mesh.vertices, axis=0).argmax()]
    step = mesh.vertices[along.argmax()] - mesh.vertices[along.argmin()]
    count = len(mesh.vertices)
    copies = Mesh(
        # whole nanometres, so that the shared vertices are the same to the last bit
        np.concatenate([np.round(mesh.vertices + number * step) for number in range(4)]),
        np.concatenate([mesh.faces + number * count for number in range(4)]),
    )
    write_mesh(folder / "chain.npz", weld(copies)[0])
    return folder / "chain.npz"


def peer_features(path: Path) -> tuple[str, float | None, float | None]:
    """Who ran, the CPU-seconds of meshmash with its defaults, and the fraction of vertices that have features."""
    mesh = read_mesh(str(path))
    with tempfile.TemporaryDirectory() as folder:
        file, script = Path(folder) / "mesh.npz", Path(folder) / "run.py"
        np.savez(file, vertices=mesh.vertices, faces=mesh.faces)
        script.write_text(PEER_SCRIPT)
        try:
            output = measure_command([peer_environment(), script, file]).result
        except (PeerUnavailable, RuntimeError) as error:
            return f"{PEER}, not run: {str(error).splitlines()[-1]}", None, None
    seconds, covered = output.strip().splitlines()[-1].split()
    return f"{PEER}, its defaults, beside", float(seconds), float(covered)


def peer_environment() -> Path:
    """The Python of meshmash's environment; it needs Python 3.12, which this program does not use."""
    folder = ENVIRONMENTS / "meshmash"
    python = folder / "bin" / "python"
    if (folder / ".installed").exists():
        return python
    found = [shutil.which("python3.12"), *sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python"))]
    runs = [path for path in found if path and not subprocess.run([path, "-c", ""], capture_output=True).returncode]
    if not runs:
        raise PeerUnavailable("needs Python 3.12, which is not here")
    subprocess.run([runs[-1], "-m", "venv", "--clear", folder], check=True)
    answer = subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], capture_output=True, text=True)
    if answer.returncode:
        raise PeerUnavailable(answer.stderr.strip().splitlines()[-1])
    (folder / ".installed").touch()
    return python


def label_rows() -> list[Row]:
    """Rows of the labels: agreement of forests trained here, and what the shipped forest scores on the unseen."""
    elsewhere = "meshmash's features, measured elsewhere"
    published = measure(agreement_with_published).result
    rows = [
        Row(
            f"agreement with the published model's labels of a dendrite, five folds along it ({spread(published)})",
            accuracy(sum(published)),
            "accuracy",
            0.97,
            peer="published features, measured elsewhere",
            peer_value=0.964,
        )
    ]
    branch = measure(agreement_by_branch).result
    name = f"agreement with the labelled neuron, folds over branches ({spread(branch)})"
    rows.append(Row(name, weighted_f1(sum(branch)), "weighted F1", 0.961))
    simulated = measure(simulated_unseen).result
    name = f"synapses of simulated neurons of unseen seeds, n = {simulated.sum():.0f}"
    rows.append(Row(name, weighted_f1(simulated), "weighted F1", 0.99))
    coarse = measure(simulated_unseen, COARSE).result
    name = "synapses of simulated neurons of unseen seeds, meshes simplified to 7 to 8 thousand vertices"
    rows.append(Row(name, weighted_f1(coarse), "weighted F1", 0.95))
    seen, covered = measure(by_eye).result
    eye, spine, shaft = "synapses labelled by eye on an unseen neuron", CLASSES.index("spine"), CLASSES.index("shaft")
    return [
        *rows,
        Row(eye, weighted_f1(seen), "weighted F1", 0.97, peer=elsewhere, peer_value=0.885),
        Row(f"{eye}, spine", recall(seen, spine), "recall", 0.95, peer=elsewhere, peer_value=0.86),
        Row(f"{eye}, shaft", recall(seen, shaft), "recall", 0.95),
        Row(f"{eye}, shaft, F1", f1_scores(seen)[shaft], "f1", 0.92),
        Row(f"{eye}, covered", covered, "fraction", 1.0, peer="meshmash, measured elsewhere", peer_value=0.83),
    ]


def spread(confusions: list[np.ndarray]) -> str:
    """The least and the most weighted F1 of folds."""
    scores = [weighted_f1(confusion) for confusion in confusions]
    return f"{min(scores):.3f} to {max(scores):.3f}"


def main() -> None:
    if not DENDRITE.exists():
        raise SystemExit(f"{DENDRITE} is absent; set SPINOME_DATA to the folder that holds neurons/")
    if not Path(f"{BIG}_mesh.npz").exists():
        raise SystemExit(f"{BIG}_mesh.npz is absent; make demo retrieves it")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        joined = chain(Path(folder))
        peer, peer_seconds, _ = peer_features(joined)
        target = {0.7: 20, None: 8}
        for reduction, what in ((0.7, "70 % fewer vertices"), (None, "every vertex kept")):
            ours = measure(features, str(joined), reduction, calls=2)
            limit = peer_seconds / target[reduction] if peer_seconds else None
            name = f"condensed features, four dendrites end to end, 129,761 vertices, {what}"
            rows.append(Row(name, ours.cpu_s, "CPU-s", limit, True, peer, peer_seconds))
        sizes, seconds = [ours.result[1]], [ours.cpu_s]
    peer, peer_seconds, covered = peer_features(LABELLED)
    ours = measure(features, str(LABELLED), calls=2)
    name = "neuron, 62,049 vertices, 174 components"
    rows.append(Row(f"condensed features, {name}", ours.cpu_s, "CPU-s", None, True, peer, peer_seconds))
    rows.append(Row(f"vertices with features, {name}", ours.result[0], "fraction", 1.0, False, peer, covered))
    for path, what, cpu, memory in ((NEURON, "693,038", 60, 4000), (BIG, "2,327,568", 240, 8000)):
        ours = measure(label_files, f"{path}_mesh.npz", f"{path}_synapses.parquet")
        name = f"{what} vertices with a soma, files to labelled synapses and spines"
        rows.append(Row(name, ours.cpu_s, "CPU-s", cpu, True))
        rows.append(Row(f"{name}, peak memory", ours.peak_mb, "MB", memory, True))
        if path == NEURON:
            neuron_seconds = ours.cpu_s
    for path, calls in ((DENDRITE, 2), (f"{NEURON}_mesh.npz", 1), (f"{BIG}_mesh.npz", 1)):
        ours = measure(features, str(path), calls=calls)
        sizes.append(ours.result[1])
        seconds.append(ours.cpu_s)
    exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
    name = "growth of the CPU-seconds of condensed features with vertices, 32 thousand to 2.3 million"
    rows.append(Row(name, exponent, "exponent", 1.2, True))
    census = f"75,241 neurons of 693,038 vertices each, at {DOLLARS_PER_CORE_HOUR} dollars a core-hour"
    dollars = neuron_seconds * CELLS / 3600 * DOLLARS_PER_CORE_HOUR
    rows.append(Row(census, dollars, "dollars", CENSUS_DOLLARS, True, "published census", CENSUS_DOLLARS))
    errors = measure(against_dense).result
    for number, (name, limit) in enumerate((("median", 1e-4), ("99th percentile", 1e-3))):
        rows.append(
            Row(
                f"error of log HKS against all eigenpairs, {name}",
                errors["selected_inversion"][number],
                "",
                limit,
                True,
                "published route (bands), here",
                errors["bands"][number],
            )
        )
        name = f"error of log HKS cut at {CUTOFF:g} nm^-2 against the eigenpairs below it, {name}"
        rows.append(Row(name, errors["truncated"][number], "", limit, True))
    stored = measure(storage).result
    rows.append(
        Row(
            f"features of a neuron, bytes against gzip, at a median error of log HKS of {stored['median_error']:.2g}",
            stored["times_smaller"],
            "times smaller",
            40,
        )
    )
    rows += label_rows()
    rows += spine_rows()
    write_rows("neurons", rows)


if __name__ == "__main__":
    main()
