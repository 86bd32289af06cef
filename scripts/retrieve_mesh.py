"""Fetch the mesh of a neuron from a public address."""

from spinome.io.meshes import Mesh, check_mesh, write_mesh
from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.retrieve.mesh import retrieve_mesh
from spinome.workflow import step

step.begin(snakemake)

address = snakemake.params.address
with plain_errors(DownloadError, ValueError):
    vertices, faces = retrieve_mesh(address, snakemake.params.base_url)
    check_mesh(vertices, faces, address)
write_mesh(snakemake.output[0], Mesh(vertices, faces))
