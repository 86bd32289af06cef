"""Shards: nothing is computed twice, nothing is lost, nothing depends on the order."""

import json
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

from spinome.io.tables import read_table
from spinome.shards import FAILURE_COLUMNS, Unit, plan, read_journal, run_shard, seed_of, shard_of

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.fixture
def shard(tmp_path):
    """Run a shard in a folder and return the names that were computed."""

    def run(units, *, key="k", fraction=0.5, compute=None):
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
            max_failed_fraction=fraction,
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
    assert all(shard_of(name, 8) == shard for shard, group in before.items() for name in group)


# names that look alike, with what file systems and shells read otherwise, and letters of any script
names = st.lists(st.text("ab01.-_/%*[] ", min_size=1, max_size=6) | st.text(min_size=1, max_size=8), unique=True)


@settings(max_examples=100, deadline=None)
@given(names=names, shards=st.integers(1, 300), random=st.randoms())
def test_the_plan_depends_on_neither_the_order_nor_the_other_units(names, shards, random):
    before = plan(names, shards)
    assert sorted(name for group in before.values() for name in group) == sorted(names)
    assert all(0 <= shard < shards and group for shard, group in before.items())
    some = random.sample(names, random.randint(0, len(names)))
    kept = {shard: [name for name in group if name in some] for shard, group in before.items()}
    assert plan(some, shards) == {shard: group for shard, group in kept.items() if group}


@settings(max_examples=25, deadline=None)
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
            max_failed_fraction=0,
        )
        assert [Path(file).read_bytes().decode() for file in done["file"]] == list(done["unit"]) == names == computed


def test_seeds_differ_between_units_and_runs_and_not_between_calls():
    assert seed_of("a") == seed_of("a")
    assert len({seed_of("a"), seed_of("b"), seed_of("a", seed=1)}) == 3


def test_shards_that_share_a_store_have_journals_of_their_own(tmp_path):
    def run(name, shard):
        computed = []
        run_shard(
            [Unit(name)],
            lambda unit, path: (computed.append(unit.name), path.mkdir()),
            step="step",
            store=tmp_path / "store",
            suffix="",
            key="k",
            done=tmp_path / "store" / f"{shard}.parquet",
            failures=tmp_path / f"failures_{shard}.parquet",
            max_failed_fraction=0,
            journal=tmp_path / "journals" / f"{shard}.jsonl",
        )
        return computed

    assert run("a", 0) == ["a"] and run("b", 1) == ["b"]
    assert run("a", 0) == [] and run("b", 1) == []
    assert list(read_journal(tmp_path / "journals" / "0.jsonl")) == ["a"]
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["0.parquet", "1.parquet", "a", "b"]
    (tmp_path / "store" / "a").rmdir()
    assert run("a", 0) == ["a"]


def test_only_what_is_missing_is_computed(shard):
    units = [Unit("a"), Unit("b")]
    assert shard(units) == ["a", "b"]
    assert shard(units) == []
    assert shard([*units, Unit("c")]) == ["c"]
    (shard.folder / "store" / "a.txt").unlink()
    assert shard(units) == ["a"]


def test_changed_inputs_and_a_changed_key_are_computed_again(shard):
    shard([Unit("a", "1"), Unit("b", "1")])
    assert shard([Unit("a", "2"), Unit("b", "1")]) == ["a"]
    assert shard([Unit("a", "2"), Unit("b", "1")], key="other") == ["a", "b"]


def test_results_do_not_depend_on_the_order_of_units(shard):
    units = [Unit(f"u{i}") for i in range(5)]
    shard(units)
    first = {path.name: path.read_text() for path in (shard.folder / "store").glob("*.txt")}
    for path in (shard.folder / "store").iterdir():
        path.unlink()
    shard(units[::-1])
    assert {path.name: path.read_text() for path in (shard.folder / "store").glob("*.txt")} == first


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


def test_too_many_failures_stop_the_shard_and_keep_what_is_done(shard):
    units = [Unit(name) for name in "abcd"]
    with pytest.raises(RuntimeError, match=r"3 of 4 units failed.*first, b: ValueError: b\.npz"):
        shard(units, compute=break_on("b", "c", "d"))
    assert not (shard.folder / "done.parquet").exists()
    assert shard(units) == ["b", "c", "d"]


def test_one_unit_may_fail_in_a_small_shard_unless_none_may(shard):
    shard([Unit("a")], fraction=0.1, compute=break_on("a"))
    assert list(read_table(shard.folder / "failures.parquet")["unit"]) == ["a"]
    with pytest.raises(RuntimeError, match="1 of 1"):
        shard([Unit("a")], fraction=0, compute=break_on("a"))


def test_an_empty_shard_writes_tables_with_their_columns(shard):
    shard([])
    failures = read_table(shard.folder / "failures.parquet")
    assert list(failures.columns) == FAILURE_COLUMNS
    assert pd.concat([failures, failures]).empty
    assert list(read_table(shard.folder / "done.parquet").columns) == ["unit", "key", "file"]


def test_names_that_look_alike_do_not_share_a_file(shard):
    shard([Unit("a/b"), Unit("a_b")])
    done = read_table(shard.folder / "done.parquet")
    assert [Path(file).read_text().split()[0] for file in done["file"]] == ["a/b", "a_b"]
    with pytest.raises(ValueError, match="several units are named a"):
        shard([Unit("a"), Unit("a")])


def test_a_cut_journal_line_costs_one_unit_and_no_more(shard):
    shard([Unit("a"), Unit("b")])
    journal = shard.folder / "store" / "journal.jsonl"
    journal.write_text(journal.read_text()[:-9])
    assert shard([Unit("a"), Unit("b")]) == ["b"]
    assert set(read_journal(journal)) == {"a", "b"}
    assert shard([Unit("a"), Unit("b")]) == []


def test_leftovers_of_a_kill_are_removed(shard):
    store = shard.folder / "store"
    store.mkdir()
    (store / ".a.99999.part.txt").write_text("half")
    shard([Unit("a")])
    assert sorted(path.name for path in store.iterdir()) == ["a.txt", "journal.jsonl"]


KILLED = """
import os, signal, sys, time
from spinome.shards import Unit, run_shard

def compute(unit, path):
    path.write_text(unit.name)
    if unit.name == "u2" and not os.path.exists(sys.argv[1] + "/resumed"):
        print("hang", flush=True)
        time.sleep(60)

run_shard([Unit(f"u{i}") for i in range(4)], compute, step="step", store=sys.argv[1] + "/store", suffix=".txt", key="k",
          done=sys.argv[1] + "/done.parquet", failures=sys.argv[1] + "/failures.parquet", max_failed_fraction=0)
"""


def test_after_a_kill_only_what_is_missing_is_computed(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    while "hang" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    journal = tmp_path / "store" / "journal.jsonl"
    assert set(read_journal(journal)) == {"u0", "u1"}
    assert not (tmp_path / "done.parquet").exists()
    old = (tmp_path / "store" / "u0.txt").stat().st_mtime_ns
    (tmp_path / "resumed").touch()
    time.sleep(0.01)
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert [json.loads(line)["unit"] for line in journal.read_text().splitlines()] == ["u0", "u1", "u2", "u3"]
    assert (tmp_path / "store" / "u0.txt").stat().st_mtime_ns == old
    assert list(read_table(tmp_path / "done.parquet")["unit"]) == ["u0", "u1", "u2", "u3"]
