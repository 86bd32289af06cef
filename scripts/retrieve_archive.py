"""Fetch a source archive from the package index that pip is configured with."""

from spinome.retrieve.archives import retrieve_archive
from spinome.workflow import step

_, _, output = step.begin(snakemake)
retrieve_archive(snakemake.wildcards.archive, output[0])
