"""Fetch every file of a Zenodo record, each with the checksum that the record or the configuration states."""

from spinome.io.web.limits import DownloadError
from spinome.logs import log_to, plain_errors
from spinome.retrieve.records import retrieve_record

log_to(snakemake.log)
record = snakemake.params.record
with plain_errors(DownloadError):
    retrieve_record(record["url"], snakemake.output[0], snakemake.params.base_url, record["checksums"])
