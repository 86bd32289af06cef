"""Shards: nothing is computed twice, nothing is lost, nothing depends on the order."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinome.failures import COLUMNS
from spinome.hashing import content_hash
from spinome.io.atomic import sweep
from spinome.io.damage import DamagedError
from spinome.io.tables import read_table
from spinome.seeds import number_of, seed_of
from spinome.workflow.shards import Finished, Unit, plan, run_shard

SCRIPTS = Path(__file__).parents[2] / "scripts"


def stored(folder):
    """Names of the units' files of a store without key and checksum."""
    return sorted(file.name.partition(".")[0] for file in folder.glob("*/*"))


def file_of(folder, name):
    """The one stored file of a unit."""
    (file,) = folder.glob(f"*/{name}.*")
    return file


@pytest.fixture
def shard(tmp_path):
    """Run a shard in a folder and return the names that were computed."""

    def run(units, *, key="k", compute=None, **more):
        computed = []

        def write(unit, path):
            computed.append(unit.name)
            if compute:
                compute(unit, path)
            path.write_text(f"{unit.name} {seed_of(unit.name)}")

        run_shard(
            units,
            write,
            step="step",
            store=tmp_path / "store",
            suffix=".txt",
            key=key,
            done=tmp_path / "done.parquet",
            failures=tmp_path / "failures.parquet",
            **more,
        )
        return computed

    run.folder = tmp_path
    return run


def test_a_units_shard_follows_from_its_name_alone():
    names = [f"unit{i}" for i in range(500)]
    before = plan(names, 8)
    after = plan([*names, "another"], 8)
    assert sorted(name for group in before.values() for name in group) == sorted(names)
    assert {shard: [n for n in group if n != "another"] for shard, group in after.items()} == before
    assert max(len(group) for group in before.values()) < 100
    assert all(number_of(name, 8) == shard for shard, group in before.items() for name in group)


# names that look alike, with what file systems and shells read otherwise, and letters of any script
names = st.lists(st.text("ab01.-_/%*[] ", min_size=1, max_size=6) | st.text(min_size=1, max_size=8), unique=True)


@settings(max_examples=100)
@given(names=names, shards=st.integers(1, 300), random=st.randoms())
def test_the_plan_depends_on_neither_the_order_nor_the_other_units(names, shards, random):
    before = plan(names, shards)
    assert sorted(name for group in before.values() for name in group) == sorted(names)
    assert all(0 <= shard < shards and group for shard, group in before.items())
    some = random.sample(names, random.randint(0, len(names)))
    kept = {shard: [name for name in group if name in some] for shard, group in before.items()}
    assert plan(some, shards) == {shard: group for shard, group in kept.items() if group}


@settings(max_examples=25)
@given(names=names)
def test_units_of_any_names_have_files_of_their_own(names, tmp_path_factory):
    folder, computed = tmp_path_factory.mktemp("shard"), []

    def write(unit, path):
        computed.append(unit.name)
        path.write_text(unit.name, newline="")

    for _ in range(2):
        done = run_shard(
            [Unit(name) for name in names],
            write,
            step="step",
            store=folder / "store",
            suffix=".txt",
            key="k",
            done=folder / "done.parquet",
            failures=folder / "failures.parquet",
        )
        assert [Path(file).read_bytes().decode() for file in done["file"]] == list(done["unit"]) == names == computed


def test_seeds_differ_between_units_and_runs_and_not_between_calls():
    assert seed_of("a") == seed_of("a")
    assert len({seed_of("a"), seed_of("b"), seed_of("a", seed=1)}) == 3


def test_shards_share_a_store_so_that_another_number_of_them_computes_nothing(tmp_path):
    def run(shards):
        computed = []
        for shard, names in plan([f"u{i}" for i in range(20)], shards).items():
            run_shard(
                [Unit(name) for name in names],
                lambda unit, path: (computed.append(unit.name), path.mkdir()),
                step="step",
                store=tmp_path / "store",
                suffix="",
                key="k",
                done=tmp_path / f"{shard}.parquet",
                failures=tmp_path / f"failures_{shard}.parquet",
            )
        return computed

    assert len(run(3)) == 20
    assert run(7) == run(1) == []


def test_only_what_is_missing_is_computed(shard):
    units = [Unit("a"), Unit("b")]
    assert shard(units) == ["a", "b"]
    assert shard(units) == []
    assert shard([*units, Unit("c")]) == ["c"]
    file_of(shard.folder / "store", "a").unlink()
    assert shard(units) == ["a"]


@pytest.fixture
def two_steps(tmp_path):
    """Run a step and one that reads its units, which are not kept; returns what each of them computed."""

    def run(names, *, first="1", second="1", readers=None):
        readers = content_hash(second) if readers is None else readers
        computed = []

        def step(name, units, key, write, **more):
            table = tmp_path / f"{name}.parquet"
            run_shard(
                units,
                lambda unit, path: (computed.append(f"{name} {unit.name}"), path.write_text(write(unit))),
                step=name,
                store=tmp_path / name,
                suffix=".txt",
                key=key,
                done=table,
                failures=tmp_path / "failures.parquet",
                own=lambda file: True,
                readers=readers,
                **more,
            )
            return Finished.read(table)

        before = step("first", [Unit(name) for name in names], first, lambda unit: unit.name)
        units = [Unit(name, before.key(name)) for name in before]
        step("second", units, second, lambda unit: before[unit.name].read_text(), spent=(before,))
        return computed

    run.folder = tmp_path
    return run


def test_units_that_were_read_go_and_are_not_made_again(two_steps):
    assert two_steps(["a", "b"]) == ["first a", "first b", "second a", "second b"]
    left = sorted(two_steps.folder.glob("first/*/*"))
    assert len(left) == 2 and all(file.name.endswith(".txt.spent") and not file.stat().st_size for file in left)
    assert two_steps(["a", "b"]) == []
    assert two_steps(["a", "b", "c"]) == ["first c", "second c"]


def test_units_that_were_read_are_made_again_for_a_step_that_changed(two_steps):
    two_steps(["a"])
    assert two_steps(["a"], second="2") == two_steps(["a"], first="2", second="2") == ["first a", "second a"]
    # one that is gone and was read by the step before the change is litter
    assert len(list(two_steps.folder.glob("first/*/*"))) == 1


def test_all_units_are_kept_where_no_step_is_named(two_steps):
    two_steps(["a"], readers="")
    assert [file.suffix for file in two_steps.folder.glob("first/*/*")] == [".txt"]
    assert two_steps(["a"], readers="") == []


def test_a_lost_result_of_what_is_gone_is_told_and_made_by_the_next_run(two_steps):
    two_steps(["a"])
    assert two_steps(["a", "b", "c"])
    for name in "ab":
        file_of(two_steps.folder / "second", name).unlink()
    with pytest.raises(DamagedError, match="what 2 units were made of is not kept, the first a; run again"):
        two_steps(["a", "b", "c"])
    assert two_steps(["a", "b", "c"]) == ["first a", "first b", "second a", "second b"]


def test_an_outage_is_no_fault_of_the_units(shard):
    def reach(unit, path):
        if unit.name in down:
            raise ConnectionRefusedError("no answer")

    def run(units):
        return shard([Unit(name) for name in units], compute=reach, outage=ConnectionRefusedError)

    down = {"a", "b"}
    with pytest.raises(RuntimeError, match="none of 2 units could be had; the first, ConnectionRefusedError: no"):
        run("ab")
    assert not (shard.folder / "done.parquet").exists()
    # where others can be had it is the unit's own
    assert run("abc") == ["a", "b", "c"]
    assert len(read_table(shard.folder / "failures.parquet")) == 2


def test_changed_inputs_and_a_changed_key_are_computed_again(shard):
    shard([Unit("a", "1"), Unit("b", "1")])
    assert shard([Unit("a", "2"), Unit("b", "1")]) == ["a"]
    assert shard([Unit("a", "2"), Unit("b", "1")], key="other") == ["a", "b"]


def test_results_do_not_depend_on_the_order_of_units(shard):
    units = [Unit(f"u{i}") for i in range(5)]
    shard(units)
    first = {path.name: path.read_text() for path in (shard.folder / "store").glob("*/*")}
    for path in (shard.folder / "store").glob("*/*"):
        path.unlink()
    shard(units[::-1])
    assert {path.name: path.read_text() for path in (shard.folder / "store").glob("*/*")} == first


def break_on(*names):
    def compute(unit, path):
        if unit.name in names:
            raise ValueError(f"{unit.name}.npz: has NaN vertices")

    return compute


def test_a_failed_unit_goes_to_the_table_and_the_others_go_on(shard):
    shard([Unit("a"), Unit("b"), Unit("c")], compute=break_on("b"))
    failures = read_table(shard.folder / "failures.parquet")
    assert failures.to_dict("records") == [
        {"step": "step", "unit": "b", "reason": "ValueError: b.npz: has NaN vertices"}
    ]
    assert list(read_table(shard.folder / "done.parquet")["unit"]) == ["a", "c"]
    assert shard([Unit("a"), Unit("b"), Unit("c")]) == ["b"]
    assert read_table(shard.folder / "failures.parquet").empty


def test_however_many_units_fail_the_shard_has_its_tables_and_keeps_what_is_done(shard):
    units = [Unit(name) for name in "abcd"]
    shard(units, compute=break_on("b", "c", "d"))
    assert list(read_table(shard.folder / "failures.parquet")["unit"]) == ["b", "c", "d"]
    assert list(read_table(shard.folder / "done.parquet")["unit"]) == ["a"]
    assert shard(units) == ["b", "c", "d"]


def test_an_empty_shard_writes_tables_with_their_columns(shard):
    shard([])
    failures = read_table(shard.folder / "failures.parquet")
    assert list(failures.columns) == COLUMNS
    assert pd.concat([failures, failures]).empty
    assert list(read_table(shard.folder / "done.parquet").columns) == ["unit", "key", "file"]


def test_names_that_look_alike_do_not_share_a_file(shard):
    shard([Unit("a/b"), Unit("a_b")])
    done = read_table(shard.folder / "done.parquet")
    assert [Path(file).read_text().split()[0] for file in done["file"]] == ["a/b", "a_b"]
    with pytest.raises(ValueError, match="several units are named a"):
        shard([Unit("a"), Unit("a")])


def test_settings_that_change_back_and_forth_never_take_one_result_for_the_other(shard):
    def write(text):
        return lambda unit, path: path.write_text(text)

    results = []
    for key in ("A", "B", "A"):
        # a killed job leaves no table; what counts is the store alone
        (shard.folder / "done.parquet").unlink(missing_ok=True)
        run_shard(
            [Unit("a")],
            write(key),
            step="step",
            store=shard.folder / "store",
            suffix=".txt",
            key=key,
            done=shard.folder / "done.parquet",
            failures=shard.folder / "failures.parquet",
        )
        results.append(Finished.read(shard.folder / "done.parquet")["a"].read_text())
    assert results == ["A", "B", "A"]
    assert stored(shard.folder / "store") == ["a"]


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
def test_a_damaged_unit_is_made_again_by_its_maker(shard, damage):
    shard([Unit("a"), Unit("b")])
    file = file_of(shard.folder / "store", "a")
    whole = file.read_text()
    {"cut": lambda: file.write_text(whole[:-3]), "altered": lambda: file.write_text(whole.replace("a", "e")),
     "gone": file.unlink}[damage]()  # fmt: skip
    assert shard([Unit("a"), Unit("b")]) == ["a"]
    assert file.read_text() == whole


def test_a_reader_of_a_damaged_unit_says_so_and_lets_the_next_run_make_it(shard):
    shard([Unit("a"), Unit("b")])
    finished = Finished.read(shard.folder / "done.parquet")
    assert finished["b"].read_text().startswith("b ") and "c" not in finished and finished.key("c") == ""
    file_of(shard.folder / "store", "a").write_text("half")
    with pytest.raises(DamagedError, match="was damaged or is gone; run again"):
        finished["a"]
    # neither the file nor the table that names it is left, so that Snakemake plans the maker
    assert stored(shard.folder / "store") == ["b"]
    assert not (shard.folder / "done.parquet").exists()


def test_a_damaged_folder_is_seen(tmp_path):
    def run():
        run_shard(
            [Unit("a")],
            lambda unit, path: (path.mkdir(), (path / "x").write_text("1"), (path / "y").write_text("2")),
            step="step",
            store=tmp_path / "store",
            suffix="",
            key="k",
            done=tmp_path / "done.parquet",
            failures=tmp_path / "failures.parquet",
            published=tmp_path / "plain",
        )
        return Finished.read(tmp_path / "done.parquet")["a"]

    run()
    assert (tmp_path / "plain" / "a" / "y").read_text() == "2"
    (file_of(tmp_path / "store", "a") / "y").unlink()
    (tmp_path / "plain" / "a" / "x").write_text("3")
    assert (run() / "y").read_text() == "2"
    assert (tmp_path / "plain" / "a" / "x").read_text() == "1"


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: write failed"),
     OSError("Unable to flush file: No space left on device")],
)  # fmt: skip
def test_faults_of_the_machine_stop_the_shard_and_fail_no_unit(shard, error):
    def compute(unit, path):
        if unit.name == "b":
            try:
                raise error
            except Exception as cause:
                raise ValueError("b could not be written") from cause

    with pytest.raises(ValueError, match="could not be written"):
        shard([Unit("a"), Unit("b"), Unit("c")], compute=compute)
    assert not (shard.folder / "failures.parquet").exists()
    assert shard([Unit("a"), Unit("b"), Unit("c")]) == ["b", "c"]


def test_leftovers_of_a_unit_of_this_process_are_removed(shard):
    shard([Unit("a")], compute=break_on("a"))
    assert [path.name for path in (shard.folder / "store").glob("*/*")] == []


KILLED = """
import os, signal, sys, time
from spinome.workflow.shards import Unit, run_shard

def compute(unit, path):
    path.write_text(unit.name)
    if unit.name == "u2" and not os.path.exists(sys.argv[1] + "/resumed"):
        print("hang", flush=True)
        time.sleep(60)

run_shard([Unit(f"u{i}") for i in range(4)], compute, step="step", store=sys.argv[1] + "/store", suffix=".txt", key="k",
          done=sys.argv[1] + "/done.parquet", failures=sys.argv[1] + "/failures.parquet")
"""


def test_after_a_kill_only_what_is_missing_is_computed(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    while "hang" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [name for name in stored(tmp_path / "store") if name] == ["u0", "u1"]
    assert not (tmp_path / "done.parquet").exists()
    # what the killed process left is litter, for a sweep of the whole folder too
    (litter,) = (tmp_path / "store").glob("*/.u2.*")
    assert sweep(tmp_path) == [litter] and not litter.exists()
    old = file_of(tmp_path / "store", "u0").stat().st_mtime_ns
    (tmp_path / "resumed").touch()
    time.sleep(0.01)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert [name for name in stored(tmp_path / "store") if name] == ["u0", "u1", "u2", "u3"]
    assert file_of(tmp_path / "store", "u0").stat().st_mtime_ns == old
    assert list(read_table(tmp_path / "done.parquet")["unit"]) == ["u0", "u1", "u2", "u3"]


TWICE = """
import sys, time
from pathlib import Path
from spinome.workflow.shards import Unit, run_shard

def compute(unit, path):
    path.write_text(unit.name * 10_000)
    Path(sys.argv[1], "made_by_" + sys.argv[2]).touch()
    # wait for the other one, so that both are in the middle of a unit
    for _ in range(600):
        if len(list(Path(sys.argv[1]).glob("made_by_*"))) == 2:
            break
        time.sleep(0.1)

run_shard([Unit(f"u{i}") for i in range(4)], compute, step="step", store=sys.argv[1] + "/store", suffix=".txt", key="k",
          done=sys.argv[1] + "/done.parquet", failures=sys.argv[1] + "/failures.parquet")
"""


def test_of_two_runs_of_one_shard_at_once_one_ends_and_says_why(tmp_path):
    """Snakemake's lock keeps two runs apart; it may have been removed by hand. No unit counts as failed."""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-c", TWICE, str(tmp_path)]
    both = [subprocess.Popen([*command, name], env=environment, stderr=subprocess.PIPE) for name in ("one", "two")]
    told = [run.communicate()[1].decode() for run in both]
    ended = [run.returncode for run in both]
    assert 0 in ended
    assert all("another run makes it in the same folder" in said for said, code in zip(told, ended) if code)
    done = Finished.read(tmp_path / "done.parquet")
    assert {name: done[name].read_text() for name in done} == {f"u{i}": f"u{i}" * 10_000 for i in range(4)}
    assert len(stored(tmp_path / "store")) == 4 and read_table(tmp_path / "failures.parquet").empty
