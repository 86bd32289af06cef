"""Published figures that the census is set beside."""

from __future__ import annotations

import pandas as pd

PEDIGO = "Pedigo et al. 2026, bioRxiv 2026.02.19.706834"

# class of the cell, of its partner (empty: any), measure, value. The outputs onto multi-input spines of excitatory
# cells are those of local ones, without the thalamus.
PEDIGO_2026 = [
    ("excitatory", "", "input_on_spine", 0.703),
    ("inhibitory", "", "input_on_spine", 0.198),
    ("L2/3", "", "input_on_spine", 0.759),
    ("L5NP", "", "input_on_spine", 0.421),
    ("excitatory", "excitatory", "output_on_spine", 0.833),
    ("L5NP", "excitatory", "output_on_spine", 0.455),
    ("L6CT", "excitatory", "output_on_spine", 0.446),
    ("excitatory", "", "multi_input", 0.061),
    ("L2/3", "", "multi_input_lowest_cell", 0.022),
    ("L2/3", "", "multi_input_highest_cell", 0.193),
    ("thalamic", "", "output_on_multi_input", 0.108),
    ("excitatory", "", "output_on_multi_input", 0.082),
    ("inhibitory", "", "output_on_multi_input", 0.70),
]


def published() -> pd.DataFrame:
    """Published values: `cell_class partner_class measure value reference`."""
    frame = pd.DataFrame(PEDIGO_2026, columns=["cell_class", "partner_class", "measure", "value"])
    return frame.assign(reference=PEDIGO)
