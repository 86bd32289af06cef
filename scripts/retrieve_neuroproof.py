"""Bring a fly volume of neuroproof_examples, with the presynaptic bars marked in it, into volumes to train on."""

from pathlib import Path

from spinome.io.atomic import atomic
from spinome.io.tables import read_table
from spinome.io.volumes import open_volume, write_volume
from spinome.retrieve.neuroproof import SECTIONS, VOXEL_NM, checked_sections, grow_bars, views
from spinome.workflow import step

inputs, _, output = step.begin(snakemake)
volume = open_volume(inputs.sections, (VOXEL_NM, VOXEL_NM, VOXEL_NM))
image = checked_sections(volume[:SECTIONS], inputs.sections)
bars = grow_bars(image, read_table(inputs.places, ["z", "y", "x"]).to_numpy(int))
stores = {Path(file).stem: file for file in output}
for name, grey, truth, voxel_nm in views(image, bars):
    with atomic(stores[name]) as store:
        write_volume(store, grey, voxel_nm, name="image", kind="image")
        write_volume(store, truth, voxel_nm, name="synapses", kind="labels")
    print(f"{name}: {(truth > 0).mean():.2%} of the voxels are in bars")
