"""Fetch every file of a Zenodo record, each with the checksum that the record or the configuration states."""

from spinome.logs import log_to
from spinome.retrieve.limits import Allowance, Limits
from spinome.retrieve.records import retrieve_record

log_to(snakemake.log)
record, allowance = snakemake.params.record, Allowance(Limits(**snakemake.config["retrieve"]["limits"]))
retrieve_record(record["url"], snakemake.output[0], snakemake.params.base_url, record["checksums"], allowance)
