"""A run whose inputs and results are in a bucket, by Snakemake's own plugin, on a real server of S3 on loopback."""

import io

import numpy as np
import pandas as pd
import pytest
import trimesh
import yaml

moto = pytest.importorskip("moto.server", reason="needs the packages moto and flask")
boto3 = pytest.importorskip("boto3", reason="needs boto3, which comes with moto")
pytest.importorskip("snakemake_storage_plugin_s3", reason="needs snakemake-storage-plugin-s3")

KEYS = {"aws_access_key_id": "someone", "aws_secret_access_key": "a secret"}


@pytest.fixture
def bucket():
    """The address of a server, and a client of it with an empty bucket `study`."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **KEYS)
    client.create_bucket(Bucket="study")
    yield address, client
    server.stop()


@pytest.mark.slow
def test_inputs_and_results_in_a_bucket(bucket, snakemake, tmp_path):
    address, client = bucket
    tube = trimesh.creation.cylinder(radius=400, height=20_000).subdivide().subdivide().subdivide()
    np.savez(tmp_path / "tube.npz", vertices_nm=tube.vertices, faces=tube.faces)
    client.upload_file(str(tmp_path / "tube.npz"), "study", "tube.npz")
    (tmp_path / "neurons.tsv").write_text("neuron\tmesh\nn\ttube.npz\n")
    keys = {"samples": {"neurons": "neurons.tsv"}, "neurons": {"shards": 1}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(keys))
    storage = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://study"]
    storage += ["--storage-s3-endpoint-url", address]
    secret = dict(zip(("SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"), KEYS.values()))

    def run(*options):
        options = [*options, *storage, "--configfile", tmp_path / "config.yaml", "--", "results/neurons/spines.parquet"]
        done = snakemake(tmp_path, *options, timeout=3000, **secret)
        assert done.returncode == 0, done.stdout
        return done.stdout

    run("--cores", "1")
    names = [file["Key"] for file in client.list_objects_v2(Bucket="study")["Contents"]]
    (part,) = (name for name in names if name.startswith("results/neurons/spines.parquet/") and "/." not in name)
    content = client.get_object(Bucket="study", Key=part)["Body"].read()
    assert "neuron" in pd.read_parquet(io.BytesIO(content))
    # what the rules declare is in the bucket and nowhere else, and the units are where they were made
    assert not (tmp_path / "results" / "neurons").exists() and not [name for name in names if "/units/" in name]
    assert len(list(tmp_path.glob(".snakemake/storage/s3/study/results/units/neurons_condense/*/n.*"))) == 1
    assert "Nothing to be done" in run("--dry-run")
