"""Fetch the meshes of a shard's neurons from their public addresses."""

from spinome.io.meshes import check_mesh, write_mesh
from spinome.io.web.limits import OutOfReachError
from spinome.mesh.surface import Mesh
from spinome.retrieve.mesh import retrieve_mesh
from spinome.workflow import step
from spinome.workflow.shards import Unit

_, params, output = step.begin(snakemake)
resources = step.resources(snakemake)


def compute(unit, part):
    address = params.each[unit.name]
    vertices, faces = retrieve_mesh(address, params.aside.base_url)
    check_mesh(vertices, faces, address)
    write_mesh(part, Mesh(vertices, faces))


step.run_units(
    snakemake,
    map(Unit, params.each),
    compute,
    suffix=".npz",
    # other studies may take the same meshes
    store=resources / "units" / "retrieve_mesh",
    published=resources / "meshes",
    outage=OutOfReachError,
)
