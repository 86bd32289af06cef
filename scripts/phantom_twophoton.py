"""Render one two-photon session of a specimen as OME-TIFF."""

from spinome.io.atomic import atomic
from spinome.phantom.specimen import load_specimen
from spinome.phantom.twophoton import render_session, write_session
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
timepoint = int(snakemake.wildcards.timepoint)
stack = render_session(load_specimen(inputs.specimen), timepoint)
with atomic(output.stack) as part:
    write_session(part, stack)
