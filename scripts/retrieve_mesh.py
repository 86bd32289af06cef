"""Fetch the meshes of a shard's neurons from their public addresses."""

from spinome.io.web.limits import OutOfReachError
from spinome.retrieve.mesh import fetch_mesh
from spinome.workflow import step
from spinome.workflow.shards import Unit

_, params, output = step.begin(snakemake)
resources = step.resources(snakemake)
stay = snakemake.config["neurons"]["keep_fetched"]


def compute(unit, part):
    fetch_mesh(params.each[unit.name], params.aside.base_url, part)


step.run_units(
    snakemake,
    map(Unit, params.each),
    compute,
    suffix=".npz",
    # other studies may take the same meshes, where they stay
    store=resources / "units" / "retrieve_mesh" if stay else None,
    published=resources / "meshes" if stay else None,
    outage=OutOfReachError,
    lent=not stay,
)
