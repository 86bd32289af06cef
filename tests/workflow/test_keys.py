"""Each key of the configuration reruns what reads it, and nothing else.

Every key is changed, in two configurations that make opposite choices, and the jobs that Snakemake would then plan are
compared with those from before by all that it compares itself: parameters as it records them, inputs, and whether there
is such a job at all. What is found is held against `keys.tsv`, where a person says which rules read which key.
`python tests/workflow/test_keys.py` writes that table anew; read each changed line before you keep it.
"""

import copy
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import yaml

from spinome.configuration import Configuration, complete
from spinome.configuration.__main__ import keys as described

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
TABLE = HERE / "keys.tsv"
MODELS = REPOSITORY / "workflow" / "models"
# keys that are not changed here, with the reason
SKIPPED = {
    "samples.": "another sheet is another study",
    "results": "another folder is another run",
    "resources": "another folder holds no data yet",
    "compare": "a comparison is a parameter of its own job alone, see plans/test_compare.py",
    "phantom.": "changes the simulated data and not what is done with it",
    "synapses.taught": "nobody teaches without a network and a teacher, see test_plans.py",
    "synapses.teacher": "teaches nothing by itself, see test_plans.py",
    "synapses.tune": "asks for a volume that nothing is trained on, see training/test_train.py",
    "design.": "names columns that these sheets have not; test_design.py changes them",
}
# what is written down of a run, so that every key may change it
ALWAYS = {"provenance", "report_methods"}
CHOICES = ("small", "other")
# keys whose changed value does not follow from their type
CHANGED = {
    "models.detector": "detector.safetensors",
    "models.judge": "forest.skops",
    "models.synapses": "forest.skops",
    "models.membranes": "detector.safetensors",
    "models.agglomeration": "forest.skops",
    "models.links": "forest.skops",
    "models.typing": "forest.skops",
    "linking.detach.kinds": ["foot"],
    "models.neurons": "forest.skops",
    "retrieve.base_url": "https://mirror.example.org",
    "retrieve.files": {"mesh.ply": {"url": "https://example.org/mesh.ply", "checksum": f"md5:{'b' * 32}"}},
    "retrieve.records": {"s3d": {"url": "https://example.org/api/records/1"}},
    "twophoton.train": ["small.field"],
    "twophoton.train_judge": ["small.field"],
    "twophoton.detect.score": 0.5,
    "twophoton.detect.boxes": "boxes.csv",
    "twophoton.track.corrections": "corrections.tsv",
    "twophoton.training.fields": ["fields"],
    "twophoton.training.start": "detector.safetensors",
    "synapses.train": ["small"],
    "synapses.classify.marked_vesicles": {"small": "marked.tsv"},
    "synapses.merge.threshold": 0.5,
    "synapses.merge.max_area_um2": 1.0,
    "synapses.merge.min_volume_um3": 0.1,
    "synapses.merge.min_peak": 0.5,
    "synapses.merge.min_probability": 0.5,
    "synapses.uniformity.dependence_um": 10.0,
    "synapses.uniformity.precision": [0.5, 0.4, 0.6],
    "synapses.uniformity.recall": [0.5, 0.4, 0.6],
    "synapses.uniformity.block_tables": {"elsewhere": "blocks.tsv"},
    "linking.train": ["small"],
    "linking.detach.volumes": ["segmented"],
    "linking.detach.gap_nm": [10.0, 300.0],
    "linking.proofread.decisions": "decisions.tsv",
    "linking.proofread.viewer": "https://viewer.example.org",
    "linking.proofread.url": "http://localhost:9000",
    "neurons.train": ["small"],
    "neurons.simplify.vertices_per_um2": 20.0,
    "neurons.simplify.reduction": 0.7,
    "neurons.hks.selected_inversion.cutoff": 1e-5,
    "neurons.features.storage": "parquet",
    "neurons.keep": "condensed",
    "neurons.spines.decisions": "pairs.tsv",
    "review.answers": "elsewhere.parquet",
}
# in `retrieve.files` and `retrieve.records`, by name
CHANGED |= {
    "retrieve.files.NAME.url": "https://example.org/other.ply",
    "retrieve.files.NAME.checksum": f"md5:{'c' * 32}",
    "retrieve.records.NAME.url": "https://example.org/api/records/2",
    "retrieve.records.NAME.checksums": {"a.ply": f"md5:{'d' * 32}"},
}
NAMES = {"retrieve.files.NAME": "mesh.ply", "retrieve.records.NAME": "s3d"}


def changed_keys():
    """Every key of the configuration that holds a value and is not skipped."""
    names = {key: field for key, _, _, field in described(Configuration)}
    return {key: field for key, field in names.items() if not key.startswith(tuple(SKIPPED))}


def configurations(folder):
    """The two configurations, whole, in a folder with the files that they and their changes name."""
    small = yaml.safe_load((REPOSITORY / "config" / "small" / "config.yaml").read_text())
    for name in ("forest.skops", "boxes.csv", "decisions.tsv", "marked.tsv", "blocks.tsv"):
        (folder / name).write_text(name)
    shutil.copy(MODELS / "detector.safetensors", folder)
    with (folder / "detector.safetensors").open("ab") as stream:
        stream.write(b"another")
    (folder / "answers.parquet").mkdir()
    (folder / "fields" / "images").mkdir(parents=True)
    (folder / "fields" / "boxes.csv").write_text("image\n")
    (folder / "corrections.tsv").write_text(
        "specimen\tfield\tdecision\ttimepoint\tz_um\ty_um\tx_um\tnext_timepoint\tnext_z_um\tnext_y_um\tnext_x_um\n"
        "small\tfield\tno spine\t0\t1\t2\t3\t\t\t\t\nsmall\tfield\tsame\t0\t1\t2\t3\t1\t1\t2\t3\n"
    )
    (folder / "pairs.tsv").write_text(
        "neuron\tz_nm\ty_nm\tx_nm\tnext_z_nm\tnext_y_nm\tnext_x_nm\tdecision\nsmall\t1\t2\t3\t4\t5\t6\tone\n"
    )
    # a volume that has segments and no mask, and neurons that a rule retrieves
    sheets = {}
    for kind, rows in {
        "volumes": ["segmented\tEM::image\t\t\t\tEM::segmentation"],
        "neurons": ["public\tresources/public/mesh.ply", "server\tprecomputed://gs://bucket/meshes::7"],
    }.items():
        lines = (REPOSITORY / small["samples"][kind]).read_text().splitlines()
        if kind == "volumes":
            lines[0] += "\tsegmentation"
        rows = [row.replace("EM", "resources/phantom/small/em.zarr") for row in rows]
        sheets[kind] = f"{kind}.tsv"
        (folder / sheets[kind]).write_text("\n".join([*lines, *rows]) + "\n")
    other = copy.deepcopy(small)
    other["samples"] |= sheets
    for key, value in {
        "models.typing": str(MODELS / "typing.skops"),
        "models.neurons": str(MODELS / "neurons.skops"),
        "retrieve.files": {"mesh.ply": {"url": "https://example.org/a.ply", "checksum": f"md5:{'a' * 32}"}},
        "twophoton.train": ["small.field"],
        "twophoton.train_judge": ["small.field"],
        "twophoton.detect.across_sessions": False,
        "twophoton.training.fields": ["fields"],
        "twophoton.training.start": str(MODELS / "detector.safetensors"),
        "synapses.classify.kind": "network",
        "synapses.mask.make": True,
        "synapses.sweep.run": True,
        "synapses.uniformity.block_tables": {"elsewhere": "blocks.tsv"},
        "neurons.simplify.reduction": 0.7,
        "linking.find_synapses": False,
        "linking.agglomerate.priority": "mean",
        "linking.detach.volumes": ["segmented"],
        "neurons.hks.solver": "bands",
        "neurons.features.storage": None,
        "neurons.keep": "condensed",
        "neurons.shards": 2,
    }.items():
        put(other, key, value)
    return {"small": complete(small), "other": complete(other)}


def put(config, key, value):
    """Set a key, given by its dotted name."""
    names = key.split(".")
    for name in names[:-1]:
        config = config.setdefault(name, {})
    config[names[-1]] = value


def change(config, key, field):
    """The configuration with another valid value of a key; None where there is nothing that has it."""
    if key == "linking.detach.volumes" and not config["linking"]["detach"]["volumes"]:
        # needs a volume with segments
        return None
    if key == "neurons.simplify.vertices_per_um2" and config["neurons"]["simplify"]["reduction"]:
        # the one excludes the other
        return None
    changed, names, here = copy.deepcopy(config), key.split("."), config
    for prefix, name in NAMES.items():
        if key.startswith(f"{prefix}."):
            names = [*prefix.split(".")[:-1], name, *key.removeprefix(f"{prefix}.").split(".")]
    for name in names:
        if name not in here:
            return None
        here = here[name]
    inner = changed
    for name in names[:-1]:
        inner = inner[name]
    inner[names[-1]] = another(here, field, CHANGED.get(key))
    return complete(changed)


def another(value, field, given):
    """Another value than this one: the given one or the default, else what follows from its type."""
    if given is not None:
        return given if given != value else field.get_default(call_default_factory=True)
    if get_origin(field.annotation) is Literal:
        return next(choice for choice in get_args(field.annotation) if choice != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value - 1 if value > 6 else value + 1
    if isinstance(value, float):
        return value * 0.98 or 0.01
    if isinstance(value, list | tuple):
        return [value[0] / 2, *value[1:]] if isinstance(value[0], float) else [value[0] - 1, *value[1:]]
    raise TypeError(f"{value!r}: say in CHANGED what else it may be")


def plans(folder, configs):
    """What Snakemake would record of each job of each configuration."""
    done = subprocess.run(
        [sys.executable, HERE / "plan_jobs.py"],
        input=json.dumps(configs),
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def differences(before, after):
    """Rules whose recorded parameters differ; and those with jobs that come, go or take other inputs."""
    both = before.keys() & after.keys()
    settings = {before[job]["rule"] for job in both if before[job]["params"] != after[job]["params"]}
    jobs = {before[job]["rule"] for job in both if before[job]["inputs"] != after[job]["inputs"]}
    jobs |= {(before | after)[job]["rule"] for job in before.keys() ^ after.keys()}
    return settings - ALWAYS, jobs - ALWAYS


def measured(folder):
    """Rules that change first with each key, as rows of the table."""
    bases = configurations(folder)
    wanted, configs = [], [*bases.values()]
    for key, field in changed_keys().items():
        for choice in CHOICES:
            config = change(bases[choice], key, field)
            if config is not None:
                wanted.append((key, choice))
                configs.append(config)
    done = plans(folder, configs)
    unplanned = {name: plan for name, plan in zip([*CHOICES, *wanted], done) if isinstance(plan, str)}
    assert not unplanned, unplanned
    before, after = dict(zip(CHOICES, done)), dict(zip(wanted, done[len(CHOICES) :]))
    rows = {key: {"key": key} for key in changed_keys()}
    for (key, choice), plan in after.items():
        settings, jobs = differences(before[choice], plan)
        rows[key][f"{choice}: settings"] = " ".join(sorted(settings))
        rows[key][f"{choice}: jobs"] = " ".join(sorted(jobs))
    columns = ["key", *(f"{choice}: {what}" for choice in CHOICES for what in ("settings", "jobs"))]
    return [{column: row.get(column, "") for column in columns} for row in rows.values()]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What changes with each key, by key."""
    return {row["key"]: row for row in measured(tmp_path_factory.mktemp("keys"))}


@pytest.fixture(scope="module")
def table():
    """What should change with each key, by key."""
    with TABLE.open(newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream, delimiter="\t")}


def rules(row, what="settings"):
    """Rules that change in one of the two configurations."""
    return {rule for choice in CHOICES for rule in row[f"{choice}: {what}"].split()}


@pytest.mark.slow
def test_each_key_reruns_what_reads_it_and_nothing_else(found, table):
    assert found.keys() == table.keys()
    differing = {key: (found[key], table[key]) for key in table if found[key] != table[key]}
    assert not differing, differing


def test_every_key_is_in_the_table_or_skipped_with_a_reason(table):
    assert set(table) == set(changed_keys())
    every = {key for key, *_ in described(Configuration)}
    assert all(any(key.startswith(prefix) for key in every) for prefix in SKIPPED)


def test_how_many_may_fail_counts_only_where_it_is_told(table):
    row = table["max_failed_fraction"]
    assert rules(row) == {"census_completeness", "report_page"} and not rules(row, "jobs")


def test_limits_of_what_is_retrieved_count_for_nothing(table):
    limits = [row for key, row in table.items() if key.startswith("retrieve.limits.")]
    assert len(limits) == 7
    assert not any(rules(row, what) for row in limits for what in ("settings", "jobs"))


UNITS_OF_LINKING = ("membranes", "basins", "contacts", "measure", "pieces", "shapes", "candidates", "dendrites")

# those that read meshes
UNITS_OF_NEURONS = ("simplify", "hks", "condense", "spines", "synapses", "exchange")


@pytest.mark.parametrize("branch", ["synapses", "linking", "neurons"])
def test_shards_of_the_same_name_are_made_again_where_their_units_change(table, branch):
    """Units are looked up in the store; a shard that kept its table would leave out units that now fall into it."""
    row = table[f"{branch}.shards"]
    first = {
        "synapses": {"synapses_detect"},
        "linking": {f"linking_{step}" for step in UNITS_OF_LINKING},
        "neurons": {f"neurons_{step}" for step in UNITS_OF_NEURONS},
    }
    assert rules(row, "jobs") and rules(row) == first[branch]


def test_keys_of_a_choice_that_is_not_taken_count_for_nothing(table):
    """`small` has forests and selected inversion, `other` a network and bands."""
    idle = {
        "small": ["synapses.classify.steps", "synapses.classify.from_shipped", "neurons.hks.bands."],
        "other": ["synapses.classify.trees", "synapses.classify.contrast", "neurons.hks.selected_inversion."],
    }
    for choice, prefixes in idle.items():
        for key, row in table.items():
            if key.startswith(tuple(prefixes)):
                assert not row[f"{choice}: settings"] and not row[f"{choice}: jobs"], key
                assert rules(row), f"{key}: counts nowhere"


def test_only_where_data_comes_from_counts_for_nothing(table):
    """Data counts by its checksum, whatever address it comes from."""
    silent = {key for key, row in table.items() if not rules(row) and not rules(row, "jobs")}
    # a record is a folder, and no sample of these configurations is in one; answers count where a model learns
    silent.remove("review.answers")
    # of so few neurons all is kept, or less where that is asked for
    silent.remove("neurons.keep_all_up_to")
    # where a mesh comes from changes nothing of what is made of it
    silent.remove("neurons.keep_fetched")
    assert all(
        key.startswith(("retrieve.base_url", "retrieve.limits.", "retrieve.records")) or key.endswith(".url")
        for key in silent
    )


@pytest.mark.slow
def test_a_model_counts_by_its_content_and_not_by_its_place(tmp_path):
    configs = []
    for folder in (tmp_path / "one", tmp_path / "another"):
        folder.mkdir()
        config = yaml.safe_load((REPOSITORY / "config" / "small" / "config.yaml").read_text())
        for file in [*MODELS.glob("*.skops"), MODELS / "detector.safetensors"]:
            shutil.copy(file, folder)
            put(config, f"models.{file.stem}", str(folder / file.name))
        configs.append(complete(config))
    one, another = plans(tmp_path, configs)
    assert differences(one, another) == (set(), set())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        found = measured(Path(place))
    with TABLE.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
