"""Fetch a public file by its address."""

from spinome.retrieve.download import at_mirror, download
from spinome.workflow import step

_, params, output = step.begin(snakemake)
download(at_mirror(params.aside.url, params.aside.base_url), output[0], params.checksum)
