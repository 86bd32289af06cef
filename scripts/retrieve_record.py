"""Fetch every file of a Zenodo record, each with the checksum that the record or the configuration states."""

from spinome.logs import log_to
from spinome.retrieve.records import retrieve_record

log_to(snakemake.log)
record = snakemake.params.record
retrieve_record(record["url"], snakemake.output[0], snakemake.params.base_url, record["checksums"])
