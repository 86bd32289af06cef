"""What a script is told of its rule."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from spinome.workflow import step


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
