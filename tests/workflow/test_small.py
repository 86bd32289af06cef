"""The whole workflow, end to end, on two very small simulated specimens, and what it makes again after a change.

A clone in another folder finds its results made; a change of the library reruns what reaches it, and no more.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from spinome.logs import read_asked, read_used
from spinome.neurons.features import read_meshmash
from spinome.workflow import code
from spinome.workflow.asking import LEAST_DISK_MB, LEAST_MB, LEAST_MINUTES
from spinome.workflow.provenance import fingerprint

REPOSITORY = Path(__file__).parents[2]
CONFIGURATION = REPOSITORY / "config" / "small" / "config.yaml"
# reads two-photon stacks, so that a few scripts of one branch and the report of what was simulated reach it
CHANGED = "spinome.io.scanimage"
# what others may build upon: these columns are in these tables
COLUMNS = {
    "twophoton/spines.parquet": "specimen field timepoint day spine z_um y_um x_um score",
    "twophoton/links.parquet": "probability",
    "synapses/objects.parquet": "volume synapse z_nm y_nm x_nm voxels score",
    "synapses/blocks.parquet": "volume block z_nm y_nm x_nm synapses unmasked_um3 density_um3",
    "linking/links.parquet": "volume orphan shaft rank probability linked",
    "linking/spines.parquet": "volume spine parent z_nm y_nm x_nm volume_um3 synapses probability",
    "neurons/synapses.parquet": "neuron id tag value p_soma p_shaft p_spine distance_nm spine reason",
    "neurons/spines.parquet": "neuron spine z_nm y_nm x_nm volume_um3 area_um2 head_diameter_nm neck_length_nm",
    "census/agreement.parquet": "volume evidence verdict orphan shaft spine probability doubt z_nm y_nm x_nm right",
    "spines.parquet": "spine",
    "failures.parquet": "step unit reason",
}


def planned(snakemake, folder, **keys):
    """Names of the rules that would run when keys of the configuration change, and the plan's words."""
    changed = folder / "changed.yaml"
    changed.write_text(yaml.safe_dump(keys))
    plan = snakemake(folder, "--dry-run", "--configfile", CONFIGURATION, changed)
    assert plan.returncode == 0, plan.stdout
    table = plan.stdout.partition("Job stats:")[2].partition("total")[0]
    return set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)), plan.stdout


@pytest.fixture(scope="module")
def small(snakemake, tmp_path_factory):
    """The folder in which the small configuration has run, and what the run said."""
    folder = tmp_path_factory.mktemp("small")
    run = snakemake(folder, "--configfile", CONFIGURATION, "--cores", "2", timeout=1800, OMP_NUM_THREADS="1")
    assert run.returncode == 0, run.stdout
    return folder, run.stdout


@pytest.mark.slow
@pytest.mark.parametrize("table", COLUMNS)
def test_every_result_table_is_there_with_its_columns(small, table):
    frame = pd.read_parquet(small[0] / "results" / "small" / table)
    assert set(COLUMNS[table].split()) <= set(frame.columns)
    if table != "failures.parquet":
        assert len(frame)


@pytest.mark.slow
def test_every_job_used_what_it_asked_for_and_at_least_a_third_of_it(small):
    """Above what the interpreter, the libraries, a slow start and a log take."""
    logs = sorted((small[0] / "results" / "small" / "logs").rglob("*.log"))
    jobs = {str(log): (read_asked(log), read_used(log)) for log in logs if read_asked(log)}
    assert len(jobs) > 50
    wrong = [
        (name, asked, used)
        for name, (asked, used) in jobs.items()
        if not used.mb <= asked.mb <= max(LEAST_MB, 3 * used.mb)
        or not used.s / 60 <= asked.minutes <= max(LEAST_MINUTES, used.s / 20)
        or not used.written_mb <= asked.disk_mb <= max(LEAST_DISK_MB, 3 * used.written_mb) + LEAST_DISK_MB
    ]
    assert not wrong


@pytest.mark.slow
def test_no_unit_failed(small):
    failures = pd.read_parquet(small[0] / "results" / "small" / "failures.parquet")
    assert failures.empty, failures.to_string()


@pytest.mark.slow
def test_every_synapse_of_the_sheet_has_a_row(small):
    rows = pd.read_parquet(small[0] / "results" / "small" / "neurons" / "synapses.parquet")
    for name in ("small", "small_train"):
        given = pd.read_parquet(small[0] / "resources" / "phantom" / name / "mesh_synapses.parquet")
        assert sorted(rows.id[rows.neuron == name]) == sorted(given.id)
    untagged = rows[rows.tag.isna() | (rows.tag == "")]
    assert (untagged.reason.fillna("") != "").all()


@pytest.mark.slow
def test_every_neuron_of_the_sheet_is_written_for_other_programs(small):
    rows = pd.read_parquet(small[0] / "results" / "small" / "neurons" / "synapses.parquet").set_index("neuron")
    for name in ("small", "small_train"):
        folder = small[0] / "results" / "small" / "neurons" / "exchange" / name
        table = pd.read_csv(folder / "synapses.csv").set_index("id")
        own = rows.loc[name].set_index("id")
        assert table.tag.fillna("").to_dict() == own.tag.fillna("").to_dict()
        points = (folder / "synapses" / "spatial" / "0_0_0").read_bytes()
        assert int.from_bytes(points[:8], "little") == own.tag.notna().sum()
        assert (folder / "mesh.ply").exists()


@pytest.mark.slow
def test_the_features_of_every_vertex_are_stored(small):
    folder = small[0] / "results" / "small" / "neurons" / "features" / "meshmash"
    for name in ("small", "small_train"):
        log_hks, label = read_meshmash(folder / f"{name}.npz")
        with np.load(small[0] / "resources" / "phantom" / name / "mesh.npz") as mesh:
            assert len(label) == len(mesh["vertices_nm"])
        assert label.min() == 0 and label.max() == len(log_hks) - 1
        assert np.isfinite(log_hks).all()


@pytest.mark.slow
@pytest.mark.parametrize("branch", ["twophoton", "synapses", "linking", "neurons", "census"])
def test_every_branch_is_evaluated_where_there_is_truth(small, branch):
    frame = pd.read_csv(small[0] / "results" / "small" / branch / "evaluation.tsv", sep="\t")
    assert list(frame.columns) == ["metric", "value", "ci_low", "ci_high", "n", "unit"]
    assert len(frame) and frame.metric.is_unique


@pytest.mark.slow
def test_the_report_stands_alone(small):
    page = (small[0] / "results" / "small" / "report.html").read_text()
    for branch in ("twophoton", "synapses", "linking", "neurons"):
        assert branch in page
    sources = re.findall(r"<(?:img|script|link)[^>]*(?:src|href)=[\"']?([^\"'> ]+)", page)
    assert sources and all(source.startswith(("data:", "#")) for source in sources)


@pytest.mark.slow
def test_the_provenance_holds_the_whole_configuration(small):
    results = small[0] / "results" / "small"
    configuration = yaml.safe_load((results / "config.yaml").read_text())
    # what the user wrote, and a default that the user did not write
    assert configuration["linking"]["train"] == ["small_train"]
    assert "max_failed_fraction" in configuration
    assert json.loads((results / "provenance.json").read_text())["versions"]["numpy"]


@pytest.mark.slow
def test_the_provenance_takes_what_jobs_have_hashed(small, monkeypatch):
    monkeypatch.chdir(small[0])
    results = Path("results/small")
    inputs = json.loads((results / "provenance.json").read_text())["inputs"]
    assert inputs and all(found == fingerprint(path) for path, found in inputs.items())
    made = [json.loads(file.read_text()) for file in (results / ".fingerprints").rglob("*.json")]
    known = {path for one in made for path in one}
    # meshes, their synapses and stacks; of a folder the file system says too little
    assert len(known) > 5 and {path for path in inputs if Path(path).is_file() and "truth" not in path} <= known


@pytest.mark.slow
def test_a_second_run_does_nothing_and_says_so(snakemake, small):
    again = snakemake(small[0], "--configfile", CONFIGURATION, "--cores", "2")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout
    assert "Finished jobid" not in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("keys", "reruns", "stays"),
    [
        ({"neurons": {"condense": {"distance": 2.5}}}, "neurons_condense", "neurons_hks"),
        ({"synapses": {"uniformity": {"repeats": 299}}}, "synapses_uniformity", "synapses_density"),
    ],
    ids=["neurons", "synapses"],
)
def test_a_changed_key_reruns_what_depends_on_it(snakemake, small, keys, reruns, stays):
    rules, words = planned(snakemake, small[0], **keys)
    branch = reruns.partition("_")[0]
    assert reruns in rules
    assert stays not in rules
    # other branches stay, but for those that come after: the census, the report and the provenance
    assert all(rule.partition("_")[0] in {branch, "census", "report", "provenance", "all"} for rule in rules), rules
    assert "Params have changed since last execution" in words


@pytest.mark.slow
def test_a_branch_can_be_run_alone(snakemake, small):
    for branch in ("twophoton", "synapses", "linking", "neurons", "census", "report"):
        plan = snakemake(small[0], "--dry-run", "--configfile", CONFIGURATION, "--", branch)
        assert plan.returncode == 0 and "Nothing to be done" in plan.stdout, branch


@pytest.mark.slow
def test_the_report_of_snakemake_builds_without_a_network(snakemake, small, tmp_path):
    page = tmp_path / "report.html"
    # no proxy answers there, so that anything that is fetched fails
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    made = snakemake(small[0], "--configfile", CONFIGURATION, "--report", page, **nowhere)
    assert made.returncode == 0, made.stdout
    text = page.read_text()
    for branch in ("Two-photon", "Synapses", "Linking", "Neurons", "Census"):
        assert branch in text


@pytest.fixture
def clone(tmp_path):
    """The repository in another folder, each file with the time of its copying, as git would make it."""
    folder = tmp_path / "clone"
    for name in ("workflow", "scripts", "config"):
        # file by file with new times; what Python compiled stays behind
        shutil.copytree(
            REPOSITORY / name,
            folder / name,
            copy_function=shutil.copyfile,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copyfile(REPOSITORY / "Snakefile", folder / "Snakefile")
    return folder


@pytest.fixture
def plan(snakemake, small, clone):
    """Return a function that plans in the clone on what was made from the repository."""

    def run():
        configuration = clone / "config" / "small" / "config.yaml"
        done = snakemake(small[0], "--dry-run", "--configfile", configuration, repository=clone)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def rules_of(script_names):
    """Rules whose script is one of these; a rule is named as its script."""
    text = "".join(file.read_text() for file in (REPOSITORY / "workflow" / "rules").glob("*.smk"))
    rules = re.findall(r"^rule (\w+):.*?(?=^rule |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name for name in rules if name in script_names}


@pytest.mark.slow
def test_a_moved_clone_reruns_nothing(plan):
    assert "Nothing to be done" in plan()


@pytest.mark.slow
def test_a_change_of_the_library_reruns_the_rules_that_reach_it(plan, clone):
    module = clone / "scripts" / Path(*CHANGED.split(".")).with_suffix(".py")
    module.write_text(module.read_text() + "\nCHANGED = True\n")
    said = plan()
    parts = re.split(r"^(?:local)?rule (\w+):$", said, flags=re.MULTILINE)
    blocks = list(zip(parts[1::2], parts[2::2]))
    reasons = {rule: set() for rule, _ in blocks}
    for rule, text in blocks:
        reasons[rule].add(re.search(r"reason: (.*)", text)[1])
    first = {rule for rule, texts in reasons.items() if any("Params have changed" in text for text in texts)}
    scripts = {path.stem for path in code.SCRIPTS.glob("*.py")}
    reach = {name for name in scripts if CHANGED in code.reached(name)}
    # of a rule that reaches it and follows another one, Snakemake gives one reason alone
    assert rules_of(reach) == {"census_evaluate", "report_phantom", "twophoton_register"} <= reasons.keys()
    # what was made with it is written down, whatever reaches it
    assert "twophoton_register" in first and first <= rules_of(reach) | {"provenance"}
    # the others follow: their inputs are made again
    others = {rule: texts for rule, texts in reasons.items() if rule not in first}
    assert all("Input files updated by another job" in text for texts in others.values() for text in texts), others
