"""Fetch a public file by its address."""

from spinome.logs import log_to
from spinome.retrieve.download import at_mirror, download
from spinome.retrieve.limits import Allowance, Limits

log_to(snakemake.log)
source = snakemake.params.source
allowance = Allowance(Limits(**snakemake.config["retrieve"]["limits"]))
download(at_mirror(source["url"], snakemake.params.base_url), snakemake.output[0], source["checksum"], allowance)
