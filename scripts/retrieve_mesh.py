"""Fetch the mesh of a neuron from a public address."""

from spinome.io.meshes import check_mesh, write_mesh
from spinome.io.web.limits import DownloadError
from spinome.logs import plain_errors
from spinome.mesh.surface import Mesh
from spinome.retrieve.mesh import retrieve_mesh
from spinome.workflow import step

_, params, output = step.begin(snakemake)
with plain_errors(DownloadError, ValueError):
    vertices, faces = retrieve_mesh(params.address, params.aside.base_url)
    check_mesh(vertices, faces, params.address)
write_mesh(output[0], Mesh(vertices, faces))
