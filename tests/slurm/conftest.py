"""A Slurm cluster for the tests of this folder."""

import importlib.util
import sys
import tempfile
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("slurm_cluster", Path(__file__).with_name("cluster.py"))
slurm = sys.modules["slurm_cluster"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slurm)


@pytest.fixture(scope="session")
def cluster():
    """A running cluster of two nodes; the tests are skipped, with the reason printed, where there can be none."""
    # not below pytest's folder: a socket's path must be short, and root alone may enter pytest's
    with tempfile.TemporaryDirectory(prefix=slurm.PREFIX) as folder:
        try:
            running = slurm.cluster(Path(folder))
            running.__enter__()
        except slurm.NoCluster as reason:
            pytest.skip(f"no Slurm here: {reason}")
        try:
            yield
        finally:
            running.__exit__(None, None, None)
