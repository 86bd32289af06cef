"""Draw a specimen and write it, its spines and its two-photon truth."""

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.phantom.specimen import grow_specimen, save_specimen, truth_spines
from spinome.phantom.twophoton import session_dendrites, session_spines
from spinome.workflow import step

step.begin(snakemake)
settings = dict(snakemake.params.settings)
specimen = grow_specimen(field_shape=(settings.pop("slices"), *settings.pop("field_px")), **settings)
save_specimen(snakemake.output.specimen, specimen)
write_table(truth_spines(specimen), snakemake.output.spines)
for table, path in (
    (session_spines(specimen), snakemake.output.session_spines),
    (session_dendrites(specimen), snakemake.output.session_dendrites),
):
    with atomic(path) as part:
        table.to_csv(part, index=False)
