"""Fetch every file of a Zenodo record, each with the checksum that the record or the configuration states."""

from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.records import retrieve_record
from spinome.workflow import step

_, params, output = step.begin(snakemake)
with plain_errors(DownloadError):
    retrieve_record(params.url, output[0], params.aside.base_url, params.checksums)
