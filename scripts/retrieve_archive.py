"""Fetch a source archive from the package index that pip is configured with."""

from spinome.logs import log_to
from spinome.retrieve.archives import retrieve_archive

log_to(snakemake.log)
retrieve_archive(snakemake.wildcards.archive, snakemake.output[0])
