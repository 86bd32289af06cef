"""What a study will cost: what is kept of its neurons counts, and what only passes through does not."""

from pathlib import Path

import numpy as np
import pytest

from spinome.configuration import complete
from spinome.workflow.estimate import estimate
from spinome.workflow.study import read_study

REPOSITORY = Path(__file__).parents[2]
VERTICES = 50_000


@pytest.fixture
def estimated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "n.npz", vertices=np.zeros((VERTICES, 3)), faces=np.zeros((2, 3), int))
    rows = [f"n{number}\tn.npz" for number in range(200)]
    (tmp_path / "neurons.tsv").write_text("\n".join(["neuron\tmesh", *rows]) + "\n")

    def run(**keys):
        config = complete({"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": 10} | keys})
        (row,) = estimate(read_study(config, REPOSITORY)).to_dict("records")
        return row

    return run


def test_neurons_leave_little_where_little_is_kept(estimated):
    kept, condensed = estimated(keep="all"), estimated(keep="condensed")
    assert kept["units"] == 200 and kept["size"] == pytest.approx(200 * VERTICES / 1e6)
    assert kept["kept_gb"] > 10 * condensed["kept_gb"]
    # one shard of ten at a time has its signatures on disk
    assert condensed["kept_gb"] < condensed["running_gb"] < 0.25 * kept["running_gb"]
    assert condensed["cpu_hours"] == kept["cpu_hours"]
    # 200 are more than `keep_all_up_to`
    assert estimated() == condensed
