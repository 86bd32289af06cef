"""Fetch a source archive from the package index that pip is configured with."""

from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.archives import retrieve_archive
from spinome.workflow import step

_, _, output = step.begin(snakemake)
with plain_errors(DownloadError, ValueError):
    retrieve_archive(snakemake.wildcards.archive, output[0])
