"""Fetch every file of a Zenodo record, each with the checksum that the record states."""

from pathlib import Path

from spinome.retrieve.download import at_mirror, download, record_files
from spinome.workflow import step

step.begin(snakemake)
url, base_url = snakemake.params.url, snakemake.params.base_url
# Snakemake deletes the output of a failed job; what was fetched waits beside it
waiting = Path(f"{snakemake.output[0]}.part")
for name, address, checksum in record_files(at_mirror(url, base_url)):
    download(at_mirror(address, base_url), waiting / name, checksum)
waiting.rename(snakemake.output[0])
