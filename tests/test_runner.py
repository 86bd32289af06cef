"""The helpers of the benchmarks measure what they say."""

import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PATH = Path(__file__).parents[1] / "benchmarks" / "runner.py"
spec = importlib.util.spec_from_file_location("runner", PATH)
runner = sys.modules["runner"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """A process of its own imports the runner by its name."""
    monkeypatch.syspath_prepend(PATH.parent)


def test_measure_counts_the_memory_of_the_call():
    small, big = runner.measure(np.ones, 10), runner.measure(np.ones, 30_000_000)
    assert big.peak_mb - small.peak_mb == pytest.approx(240, abs=40)
    assert big.result.sum() == 30_000_000


def test_measure_passes_on_the_traceback_of_a_failed_call():
    with pytest.raises(RuntimeError, match="math domain error"):
        runner.measure(math.log, -1)


def test_measure_command_counts_cpu_and_not_sleep():
    work = "import time; start = time.process_time()\nwhile time.process_time() - start < 0.5: pass\nprint('done')"
    busy = runner.measure_command([sys.executable, "-c", work])
    idle = runner.measure_command([sys.executable, "-c", "import time; time.sleep(0.5)"])
    assert busy.result.strip() == "done"
    assert busy.cpu_s - idle.cpu_s == pytest.approx(0.5, abs=0.2)
    assert idle.wall_s >= 0.5


def test_measure_command_stops_at_a_failure():
    with pytest.raises(RuntimeError, match="exit code 3"):
        runner.measure_command([sys.executable, "-c", "raise SystemExit(3)"])


def test_rows_say_whether_the_target_was_met(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "RESULTS", tmp_path)
    rows = [
        runner.Row("speed", 2.0, "CPU-s", target=3.0, lower_is_better=True, peer="other", peer_value=8.0),
        runner.Row("f1", 0.80, "", target=0.90),
        runner.Row("recall", 0.5, ""),
    ]
    frame = pd.read_csv(runner.write_rows("neurons", rows), sep="\t", keep_default_na=False)
    assert list(frame.columns) == runner.COLUMNS
    assert list(frame.met) == ["yes", "no", ""]
    assert frame.ratio[0] == "0.25" and frame.peer_value[2] == ""


@pytest.mark.parametrize("name", sorted(path.stem for path in PATH.parent.glob("*.py") if path != PATH))
def test_what_a_benchmark_takes_from_the_library_is_there(name):
    importlib.import_module(name)
