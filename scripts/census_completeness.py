"""End the run with an error where more of a step is missing than may be; the results and the report are there."""

import sys
from pathlib import Path

from spinome.census.completeness import incomplete, to_try_again
from spinome.io.tables import read_table
from spinome.workflow import step
from spinome.workflow.missing import forget

inputs, params, output = step.begin(snakemake)
completeness = read_table(inputs.completeness)
if lines := incomplete(completeness, params.max_failed_fraction):
    forget(to_try_again(completeness, params.max_failed_fraction), inputs.tables)
    sys.exit(
        "\n  ".join([f"more is missing than max_failed_fraction {params.max_failed_fraction:g} allows:", *lines])
        + f"\nEverything else went through, and {inputs.report} says what is not known; "
        f"{inputs.failures} has the reasons. Mend them and run again, which tries these units again and computes no "
        "finished one; or raise max_failed_fraction."
    )
Path(output[0]).touch()
