"""Fetch a public file by its address."""

from spinome.io.web.addresses import at_mirror
from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.download import download
from spinome.workflow import step

_, params, output = step.begin(snakemake)
with plain_errors(DownloadError):
    download(at_mirror(params.aside.url, params.aside.base_url), output[0], params.checksum)
