"""Fetch a source archive from the package index that pip is configured with."""

from spinome.logs import log_to
from spinome.retrieve.archives import retrieve_archive
from spinome.retrieve.limits import Allowance, Limits

log_to(snakemake.log)
allowance = Allowance(Limits(**snakemake.config["retrieve"]["limits"]))
retrieve_archive(snakemake.wildcards.archive, snakemake.output[0], allowance)
