"""What several tests of linking learn from."""

import numpy as np
import pandas as pd
import pytest

from spinome.linking.candidates import FEATURES


@pytest.fixture(scope="session")
def simulated():
    """Pairs of orphans and candidates whose true shaft has the shorter way, 12 dendrites of 8 orphans each."""
    rng = np.random.default_rng(7)
    rows, truth = [], []
    for orphan in range(100, 196):
        shafts = rng.choice(12, 5, replace=False) + 1
        truth.append((orphan, shafts[0]))
        for place, shaft in enumerate(shafts):
            values = rng.random(len(FEATURES))
            values[5] = abs(rng.normal(0.2 if place == 0 else 0.8, 0.2))
            rows.append((orphan, shaft, *values))
    candidates = pd.DataFrame(rows, columns=["orphan", "shaft", *FEATURES]).assign(end=0)
    return candidates, pd.DataFrame(truth, columns=["orphan", "shaft"])
