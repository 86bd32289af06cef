"""Fetch a public file by its address."""

from spinome.io.web.addresses import at_mirror
from spinome.io.web.limits import DownloadError
from spinome.logs import log_to, plain_errors
from spinome.retrieve.download import download

log_to(snakemake.log)
source = snakemake.params.source
with plain_errors(DownloadError):
    download(at_mirror(source["url"], snakemake.params.base_url), snakemake.output[0], source["checksum"])
