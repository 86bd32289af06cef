"""Fetch a public file by its address."""

from spinome.io.web.addresses import at_mirror
from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.download import download
from spinome.workflow import step

step.begin(snakemake)
source = snakemake.params.source
with plain_errors(DownloadError):
    download(at_mirror(source["url"], snakemake.params.base_url), snakemake.output[0], source["checksum"])
