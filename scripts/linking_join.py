"""Join what was measured in all cuboids of a volume to its segments."""

from spinome.gaps import gap_table
from spinome.io.tables import write_table
from spinome.io.thinned import Thinned
from spinome.io.volumes import open_labels, require_voxel_size
from spinome.linking.measure import join_measured, read_measured
from spinome.workflow import step
from spinome.workflow.shards import Finished

inputs, params, output = step.begin(snakemake)
source = step.source(snakemake, "segmentation")
volume = Thinned.to(open_labels(source, params.voxel_nm), params.working_nm)
files = Finished.read(*inputs.measured)
missing = gap_table(volume.shape, volume.cuboid(params.cuboid), files, volume.voxel_nm)
voxel_nm = require_voxel_size(volume.volume)
segments = join_measured(lambda: map(read_measured, files.values()), volume.shape, voxel_nm, volume.stride, missing)
# a volume that was segmented here may have no segment, or none that is known
if not len(segments) and not len(missing) and not inputs.gaps:
    raise ValueError(f"{source}: there is no segment, every voxel is 0; give another segmentation")
print(f"{len(segments)} segments; {len(missing)} cuboids could not be measured")
write_table(segments, output[0])
