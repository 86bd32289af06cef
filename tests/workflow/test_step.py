"""What a script is told of its rule and of the volumes of its rule."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.iocontainers import InputFiles, Params

from spinome.io.damage import DamagedError
from spinome.io.tables import read_table
from spinome.workflow import step
from spinome.workflow.fingerprints import fingerprints_of
from spinome.workflow.provenance import fingerprint
from spinome.workflow.shards import Unit


def rule(inputs, **aside):
    """A rule with named inputs as a script sees it."""
    return SimpleNamespace(input=InputFiles(fromdict=inputs), params=SimpleNamespace(aside=SimpleNamespace(**aside)))


def test_a_given_volume_is_named_by_the_sheet_and_a_made_one_by_the_input():
    given = rule({"membrane": "m.h5"}, row={"membrane": "m.h5::probability"})
    assert step.source(given, "membrane") == "m.h5::probability"
    assert step.source(rule({"membrane": "made.zarr"}, row={"membrane": None}), "membrane") == "made.zarr"
    assert step.source(rule({}, row={"membrane": None}), "membrane") is None


def test_volumes_of_a_rule_go_by_name():
    inputs = {"membrane/b": "made_b.zarr", "membrane/a": "a.h5", "typing/b": "b.parquet"}
    rows = {"a": {"membrane": "a.h5::m"}, "b": {"membrane": None}, "c": {"membrane": None}}
    assert step.sources(rule(inputs, rows=rows), "membrane") == {"a": "a.h5::m", "b": "made_b.zarr"}


@pytest.mark.parametrize(
    ("rule", "log", "folder"),
    [
        ("twophoton_train", "results/logs/twophoton_train.log", "results/units/twophoton_train"),
        ("outer_twophoton_train", "sub/results/logs/twophoton_train.log", "sub/results/units/twophoton_train"),
        ("twophoton_detect", "r/logs/x/logs/twophoton_detect/s.f.0.log", "r/logs/x/units/twophoton_detect"),
    ],
)
def test_a_rule_keeps_what_outlives_it_beside_the_units_of_the_run(rule, log, folder):
    assert step.store(SimpleNamespace(rule=rule, log=[log])) == Path(folder)


CONFIG = {
    "results": "results",
    "resources": "data",
    "phantom": {"specimens": {"p": {}}},
    "retrieve": {"files": {"f.csv": {}}, "records": {"r": {}}},
}


@pytest.mark.parametrize("prefix", ["", "outer/"])
@pytest.mark.parametrize(
    ("damaged", "removed"),
    [
        ("results/neurons/a.parquet", True),
        ("data/phantom/p/em.zarr", True),
        ("data/public/r/volume.zarr", True),
        ("data/public/f.csv", True),
        ("data/meshparty/m.parquet", True),
        # what a user put there cannot be made again
        ("data/phantom/mine/em.zarr", False),
        ("data/public/mine/volume.zarr", False),
        ("data/mine.csv", False),
        ("mine.csv", False),
    ],
)
def test_a_damaged_input_is_removed_where_a_rule_made_it(tmp_path, monkeypatch, prefix, damaged, removed):
    monkeypatch.chdir(tmp_path)
    files = [Path(prefix + name) for name in (damaged, "results/other.parquet")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    given = SimpleNamespace(
        rule="linking_meshes",
        log=[f"{prefix}results/logs/linking_meshes.log"],
        input=list(map(str, files)),
        config=CONFIG,
    )
    error = DamagedError(files[0], "cannot be read")
    step._fail(given, DamagedError, error, None)
    assert files[0].exists() != removed and files[1].exists()


def test_a_damaged_input_that_a_rule_made_fails_no_unit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(damaged):
        def compute(unit, part):
            raise DamagedError(damaged, "cannot be read")

        outputs = SimpleNamespace(done="done.parquet", failures="failures.parquet")
        params = InputFiles(fromdict={"aside": SimpleNamespace(max_failed_fraction=1)})
        given = SimpleNamespace(rule="linking_meshes", log=["results/logs/linking_meshes.log"], config=CONFIG,
                                params=params, wildcards=InputFiles(), output=outputs)  # fmt: skip
        step.run_units(given, [Unit("u")], compute)

    with pytest.raises(DamagedError):
        run("data/phantom/p/em.zarr")
    assert not Path("failures.parquet").exists()
    run("mine/em.zarr")
    assert read_table("failures.parquet")["unit"].tolist() == ["u"]


def test_a_shard_hashes_what_it_reads_for_the_provenance(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("v.h5").write_text("volume")
    for shard in "01":
        given = SimpleNamespace(
            rule="linking_membranes",
            log=[f"results/logs/linking_membranes/v/{shard}.log"],
            wildcards={"volume": "v", "shard": shard},
            params=Params(fromdict={"code": "c", "aside": SimpleNamespace()}),
            output=SimpleNamespace(done=f"{shard}.parquet", failures=f"failures_{shard}.parquet"),
            config=CONFIG,
        )
        step.run_units(given, [Unit(shard)], lambda unit, part: part.write_text("made"), read=["v.h5::image", None])
    assert fingerprints_of(step.fingerprints(given).folder, ["v.h5"]) == {"v.h5": fingerprint("v.h5")}
    assert len(list(Path("results/.fingerprints").rglob("*.json"))) == 1
