"""End the run with an error where more of a step is missing than may be; the results and the report are there."""

import sys
from pathlib import Path

from spinome.census.completeness import incomplete
from spinome.io.tables import read_table
from spinome.workflow import step

inputs, params, output = step.begin(snakemake)
if lines := incomplete(read_table(inputs.completeness), params.max_failed_fraction):
    sys.exit(
        "\n  ".join([f"more is missing than max_failed_fraction {params.max_failed_fraction:g} allows:", *lines])
        + f"\nEverything else went through, and {inputs.report} says what is not known; "
        f"{inputs.failures} has the reasons. Mend them and run again, or raise max_failed_fraction."
    )
Path(output[0]).touch()
