"""Fetch every file of a Zenodo record, each with the checksum that the record or the configuration states."""

from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.records import retrieve_record
from spinome.workflow import step

step.begin(snakemake)
record = snakemake.params.record
with plain_errors(DownloadError):
    retrieve_record(record["url"], snakemake.output[0], snakemake.params.base_url, record["checksums"])
