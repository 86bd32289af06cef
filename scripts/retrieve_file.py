"""Fetch a public file by its address."""

from spinome.retrieve.download import at_mirror, download
from spinome.workflow import step

step.begin(snakemake)
source = snakemake.params.source
download(at_mirror(source["url"], snakemake.params.base_url), snakemake.output[0], source["checksum"])
