"""End the run with an error where more of a step is missing than may be; the results and the report are there."""

import sys
from pathlib import Path

from spinome.census.completeness import incomplete
from spinome.io.tables import read_table
from spinome.logs import log_to

log_to(snakemake.log)
params = snakemake.params
if lines := incomplete(read_table(snakemake.input.completeness), params.max_failed_fraction):
    sys.exit(
        "\n  ".join([f"more is missing than max_failed_fraction {params.max_failed_fraction:g} allows:", *lines])
        + f"\nEverything else went through, and {snakemake.input.report} says what is not known; "
        f"{snakemake.input.failures} has the reasons. Mend them and run again, or raise max_failed_fraction."
    )
Path(snakemake.output[0]).touch()
