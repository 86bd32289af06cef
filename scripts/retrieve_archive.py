"""Fetch a source archive from the package index that pip is configured with."""

from spinome.retrieve.archives import retrieve_archive
from spinome.workflow import step

step.begin(snakemake)
retrieve_archive(snakemake.wildcards.archive, snakemake.output[0])
