"""Published figures that the census is set beside."""

from __future__ import annotations

import pandas as pd

PEDIGO = "Pedigo et al. 2026, bioRxiv 2026.02.19.706834"

# cell class of the postsynaptic cell, of the presynaptic cell (empty: any), measure, value
PEDIGO_2026 = [
    ("excitatory", "", "input_on_spine", 0.703),
    ("inhibitory", "", "input_on_spine", 0.198),
    ("L2/3", "", "input_on_spine", 0.759),
    ("L5NP", "", "input_on_spine", 0.421),
    ("excitatory", "excitatory", "input_on_spine", 0.833),
    ("excitatory", "L5NP", "input_on_spine", 0.455),
    ("excitatory", "L6CT", "input_on_spine", 0.446),
    ("excitatory", "", "multi_input", 0.061),
]


def published() -> pd.DataFrame:
    """Published values: `cell_class pre_class measure value reference`."""
    frame = pd.DataFrame(PEDIGO_2026, columns=["cell_class", "pre_class", "measure", "value"])
    return frame.assign(reference=PEDIGO)
