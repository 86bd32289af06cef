"""Fetch every file of a Zenodo record, each with the checksum that the record states."""

from pathlib import Path

from spinome.retrieve.download import at_mirror, download, record_files
from spinome.workflow import step

_, params, output = step.begin(snakemake)
base_url = params.aside.base_url
# Snakemake deletes the output of a failed job; what was fetched waits beside it
waiting = Path(f"{output[0]}.part")
for name, address, checksum in record_files(at_mirror(params.url, base_url)):
    download(at_mirror(address, base_url), waiting / name, checksum)
waiting.rename(output[0])
