"""Draw a specimen and write it, its spines and its two-photon truth."""

from spinome.io.atomic import atomic
from spinome.io.tables import write_table
from spinome.phantom.specimen import grow_specimen, save_specimen, truth_spines
from spinome.phantom.twophoton import session_dendrites, session_spines
from spinome.workflow import step

_, params, output = step.begin(snakemake)
settings = dict(params.settings)
specimen = grow_specimen(field_shape=(settings.pop("slices"), *settings.pop("field_px")), **settings)
save_specimen(output.specimen, specimen)
write_table(truth_spines(specimen), output.spines)
for table, path in (
    (session_spines(specimen), output.session_spines),
    (session_dendrites(specimen), output.session_dendrites),
):
    with atomic(path) as part:
        table.to_csv(part, index=False)
