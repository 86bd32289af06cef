"""A storm of bad configurations and sample sheets: each is told in a line that says where and what to do.

Most call, in this process, what the Snakefile calls when it is parsed; a few start Snakemake itself. What is wrong with
the files that a configuration names is told when a run starts (`tests/test_check.py`), and every number of the
configuration is tried beyond its range in `tests/test_configuration.py`.
"""

import re
from pathlib import Path

import pytest
import yaml

from spinome.configuration import complete
from spinome.configuration.files import repeated_keys
from spinome.io.tables import READERS
from spinome.workflow.consistency import SIMULATED, TABLES, contradictions
from spinome.workflow.samples import read_corrections, read_sheets, series_problems

REPOSITORY = Path(__file__).parents[2]
SHEETS = {
    "stacks": ["specimen\tfield\ttimepoint\tday\tpath", "m\tf\t0\t0\ts0.tif", "m\tf\t1\t3\ts1.tif"],
    "volumes": ["volume\timage\tsegmentation\ttruth_synapses", "v\tv.h5::image\t\tv.h5::truth", "w\t\tv.h5::labels"],
    "neurons": ["neuron\tmesh\ttruth_labels", "n1\tn.npz\tn.npz", "n2\tn.npz"],
    "cells": ["root_id\tcell_class", "5\tbasket"],
}
FILES = ("s0.tif", "s1.tif", "v.h5", "n.npz", "table.csv", "model.skops", "model.safetensors", "notes.txt")
LONG = "x" * 300
# files that a name of 100 letters is part of twice do not fit; each letter of another alphabet takes six bytes
ALMOST = "y" * 100


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory: good sheets of every kind, and the files that they name, which no parsing opens."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).touch()
    Path("folder.skops").mkdir()
    for kind, lines in SHEETS.items():
        Path(f"{kind}.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def parse(config):
    """What `workflow/rules/common.smk` and `twophoton_inputs.smk` do with a configuration."""
    config = complete(config)
    sheets = read_sheets(config["samples"], [config["results"], config["resources"]], [REPOSITORY])
    rows = sheets["stacks"], sheets["volumes"], sheets["neurons"]
    files = dict.fromkeys(file for kind in rows for row in kind for file in row.files())
    problems = contradictions(config, *rows, files)
    problems += series_problems(sheets["stacks"])
    if problems:
        raise ValueError("\n".join(problems))
    if sheets["stacks"] and config["twophoton"]["track"]["corrections"]:
        read_corrections(config["twophoton"]["track"]["corrections"], sheets["stacks"])


def told(config):
    """The message that a configuration is refused with; it fits a screen and holds no Python."""
    with pytest.raises(ValueError) as error:
        parse(config)
    message = str(error.value)
    assert type(error.value) is ValueError
    assert 10 < len(message) < 2000 and "Error(" not in message and "<class" not in message, message
    return message


def every_sheet(**changed):
    return {kind: f"{kind}.tsv" for kind in SHEETS} | changed


def test_what_is_good_is_taken(folder):
    parse({"samples": every_sheet()})
    parse({"samples": every_sheet(), "neurons": {"train": ["n1"]}, "linking": {"detach": {"volumes": ["w"]}}})
    parse({"samples": {}, "synapses": {"uniformity": {"block_tables": {"b": "table.csv"}}}})


def test_what_parsing_knows_of_others_without_loading_them():
    assert set(TABLES) == set(READERS)
    rules = (REPOSITORY / "workflow" / "rules" / "phantom.smk").read_text()
    assert set(re.findall(r'"<resources>/phantom/\{specimen\}/([^"{]+)"', rules)) == SIMULATED


# the configuration, in YAML; what its message says
VALUES = [
    # of the wrong kind
    ("seed: -1", "seed: give a whole number from 0 to 2,147,483,647, not -1"),
    ("seed: true", "seed: give a whole number"),
    ("seed: 5.0", "seed: give a whole number"),
    ("seed: '5'", "text; write numbers without quotes"),
    ("seed: five", "seed: give a whole number"),
    ("seed: 99999999999999999999999999", "seed: give a whole number"),
    ("seed:", "seed: give a whole number from 0 to 2,147,483,647, not nothing"),
    ("seed: [1]", "seed: give a whole number"),
    ("seed: {a: 1}", "seed: give a whole number"),
    ("seed: 2024-01-01", "seed: give a whole number"),
    ("max_failed_fraction: 10%", "max_failed_fraction: give a number from 0 to 1, not '10%'"),
    ("max_failed_fraction: 0,1", "max_failed_fraction: give a number from 0 to 1, not '0,1'"),
    ("max_failed_fraction: .nan", "max_failed_fraction: give a number from 0 to 1, not nan"),
    ("max_failed_fraction: -.inf", "max_failed_fraction: give a number from 0 to 1, not -inf"),
    ("max_failed_fraction: 1.5", "max_failed_fraction: give a number from 0 to 1, not 1.5"),
    ("results:", "results: give text, not nothing"),
    ("results: 5", "results: give text, not 5 (in quotes, if it is meant)"),
    ("results: [a, b]", "results: give text"),
    ("synapses: {classify: {from_shipped: 'no'}}", "synapses.classify.from_shipped: give true or false, not 'no'"),
    ("synapses: {classify: {from_shipped: 1}}", "synapses.classify.from_shipped: give true or false, not 1"),
    ("synapses: {mask: {make: nearly}}", "synapses.mask.make: give true or false"),
    ("synapses: {classify: {kind: tree}}", "synapses.classify.kind: give one of forest, network, not 'tree'"),
    ("synapses: {classify: {kind: Forest}}", "synapses.classify.kind: give one of forest, network"),
    ("synapses: {merge: {connectivity: -1}}", "synapses.merge.connectivity: give one of 6, 18, 26, not -1"),
    ("synapses: {merge: {connectivity: 8}}", "synapses.merge.connectivity: give one of 6, 18, 26, not 8"),
    ("synapses: {merge: {connectivity: 18.0}}", "synapses.merge.connectivity: give one of 6, 18, 26, not 18.0"),
    ("linking: {agglomerate: {priority: max}}", "linking.agglomerate.priority: give one of mean, median, forest"),
    ("neurons: {features: {storage: zip}}", "neurons.features.storage: give one of parquet, meshmash, compressed"),
    ("neurons: {hks: {solver: dense}}", "neurons.hks.solver: give one of selected_inversion, bands"),
    # lists and their elements
    ("linking: {cuboid: [0, 1, 1]}", "linking.cuboid[0]: give a whole number from 1 to 4,096, not 0"),
    ("linking: {cuboid: [64, 64]}", "linking.cuboid: give a list of 3 values, each a whole number from 1 to 4,096"),
    ("linking: {cuboid: [64, 64, 64, 64]}", "linking.cuboid: give a list of 3 values"),
    ("linking: {cuboid: 64}", "linking.cuboid: give a list of 3 values"),
    ("linking: {cuboid: 64 x 64 x 64}", "linking.cuboid: give a list of 3 values"),
    ("linking: {cuboid: [64, 64, '64']}", "linking.cuboid: give a list of 3 values"),
    ("linking: {cuboid: [64, 64, 64.5]}", "linking.cuboid: give a list of 3 values"),
    ("synapses: {cuboid: [1, 1, 1000000]}", "synapses.cuboid[2]: give a whole number from 1 to 4,096, not 1000000"),
    ("synapses: {cuboid: [4096, 4096, 4096]}", "synapses.cuboid: is 68,719,476,736 voxels in all"),
    (
        "synapses: {density: {block_um: [5, 5, 0]}}",
        "synapses.density.block_um[2]: give a number from 0.05 to 10,000, not 0",
    ),
    ("linking: {detach: {gap_nm: [0]}}", "linking.detach.gap_nm: give a list of 2 values"),
    ("linking: {train: v}", "linking.train: give a list, each text, not 'v'"),
    ("linking: {train: [1]}", "linking.train[0]: give text, not 1 (in quotes, if it is meant)"),
    ("linking: {train: [v, v]}", "linking.train: names v 2 times"),
    ("twophoton: {train: [m.f, m.f]}", "twophoton.train: names m.f 2 times"),
    ("linking: {detach: {volumes: [w, w]}}", "linking.detach.volumes: names w 2 times"),
    # numbers that no computer works with
    ("linking: {shards: 1000000000}", "linking.shards: give a whole number from 1 to 10,000, not 1000000000"),
    ("neurons: {shards: 0}", "neurons.shards: give a whole number from 1 to 10,000, not 0"),
    ("synapses: {shards: -4}", "synapses.shards: give a whole number from 1 to 10,000, not -4"),
    ("twophoton: {training: {steps: 1.0e+9}}", "twophoton.training.steps: give a whole number from 1 to 100,000"),
    ("twophoton: {measure: {psf_xy_um: 0}}", "twophoton.measure.psf_xy_um: give a number from 0.05 to 5, not 0"),
    ("twophoton: {measure: {psf_xy_um: 400}}", "twophoton.measure.psf_xy_um: give a number from 0.05 to 5, not 400"),
    (
        "neurons: {hks: {bands: {cutoff: 1e300}}}",
        "neurons.hks.bands.cutoff: give a number from 1e-09 to 1, not '1e300'",
    ),
    ("neurons: {hks: {bands: {cutoff: 1e}}}", "neurons.hks.bands.cutoff: give a number"),
    # keys that contradict one another
    ("linking: {typing: {orphan_min_um3: 2}}", "linking.typing: orphan_min_um3 is 2, which is above orphan_max_um3"),
    ("linking: {typing: {orphan_max_extent_nm: 100}}", "linking.typing: orphan_max_extent_nm is 100, but the box"),
    ("linking: {typing: {shaft_min_radius_nm: 300}}", "shaft_min_thickest_nm is 210, below shaft_min_radius_nm"),
    ("linking: {detach: {gap_nm: [300, 0]}}", "linking.detach: the first value of gap_nm is 300, which is above"),
    ("synapses: {merge: {min_area_um2: 2, max_area_um2: 1}}", "min_area_um2 is 2, which is above max_area_um2"),
    ("synapses: {mask: {cell_um: 4}}", "synapses.mask: cell_um is 4, which is above body_um with 3"),
    ("synapses: {uniformity: {precision: [0.5, 0.6, 0.7]}}", "synapses.uniformity.precision: give the value, then"),
    ("synapses: {uniformity: {recall: [0.5, 0.4, 0.45]}}", "synapses.uniformity.recall: give the value, then"),
    ("synapses: {uniformity: {recall: [0, 0, 0.1]}}", "synapses.uniformity.recall: the value is 0"),
    ("synapses: {uniformity: {recall: [0.5, 0.4, 1.1]}}", "synapses.uniformity.recall[2]: give a number from 0 to 1"),
    ("neurons: {hks: {bands: {max_vertices: 20000}}}", "neurons.hks.bands: max_vertices is 20000, which is above"),
    ("neurons: {simplify: {reduction: 0.7, vertices_per_um2: 20}}", "neurons.simplify: vertices_per_um2 and reduction"),
    ("phantom: {specimens: {a: {days: [3, 1]}}}", "phantom.specimens.a.days: the days 3, 1 do not rise"),
    ("phantom: {specimens: {a: {days: [1, 1]}}}", "phantom.specimens.a.days: the days 1, 1 do not rise"),
    ("phantom: {specimens: {a: {days: []}}}", "phantom.specimens.a.days: give a list of 1 to 100"),
    ("phantom: {specimens: {a: {days: 3}}}", "phantom.specimens.a.days: give a list of 1 to 100"),
    ("phantom: {specimens: {a: {em_shape: [112, 4000, 480]}}}", "phantom.specimens.a: the cutout (em_shape times"),
    ("phantom: {specimens: {a: {em_voxel_nm: [30, 60, 60]}}}", "phantom.specimens.a: the cutout (em_shape times"),
    # folders and files
    ("results: ''", "results: is '', which is empty"),
    ("results: ' '", "results: is ' ', which is empty"),
    ("results: 'res '", "results: is 'res ', which begins or ends with a space"),
    ("results: 'res{x}'", "results: is 'res{x}', which has a '{'"),
    ("results: res<x>", "results: is 'res<x>', which has a '<'"),
    (r'results: "res\tx"', r"results: is 'res\tx', which has a character that cannot be seen"),
    (r'results: "res\nx"', r"results: is 'res\nx', which has a character that cannot be seen"),
    (r'results: "res\0x"', "which has a character that cannot be seen"),
    ("results: ~/results", "results: is '~/results', which begins with '~'"),
    ("results: s3://bucket/results", "results: is 's3://bucket/results', which is no folder on a disk"),
    ("results: store.zarr::a", "results: is 'store.zarr::a', which is no folder on a disk"),
    (f"results: {LONG}", "is too long"),
    (f"results: {'a/' * 3000}", "is too long"),
    ("results: resources", "results is in the folder of the other or the same"),
    ("results: resources/mine", "results is in the folder of the other or the same"),
    ("results: ./resources/", "results is in the folder of the other or the same"),
    ("results: other/../resources", "results is in the folder of the other or the same"),
    ("resources: results/data", "resources is in the folder of the other or the same"),
    ("results: .", "resources is in the folder of the other or the same"),
    ("resources: ..", "results is in the folder of the other or the same"),
    ("resources: ''", "resources: is '', which is empty"),
    ("samples: {stacks: ''}", "samples.stacks: is '', which is empty"),
    ("samples: {stacks: [a.tsv]}", "samples.stacks: give text"),
    ("samples: {stacks: nowhere.tsv}", "nowhere.tsv: no such sample sheet, looked up from"),
    (f"samples: {{stacks: {LONG}}}", "is too long"),
    ("samples: {stacks: folder.skops}", "folder.skops: is a folder, where a sample sheet is needed"),
    ("samples: {stacks: neurons.tsv}", "neurons.tsv: header, column neuron: no such column"),
    ("samples: {volumes: v.h5}", "v.h5: is empty"),
    ("models: {judge: model.safetensors}", "models.judge: is 'model.safetensors', where a file of the kind .skops"),
    ("models: {detector: model.skops}", "models.detector: is 'model.skops', where a file of the kind .safetensors"),
    ("models: {synapses: notes.txt}", "where a file of the kind .safetensors or .skops is needed"),
    ("models: {synapses: [1]}", "models.synapses: give the path of a model, or both `address`"),
    (
        "models: {synapses: {address: 'https://a.org/n'}}",
        "models.synapses: give the path of a model, or both",
    ),
    (
        "models: {synapses: {address: 'https://a.org/n', sha256: 7}}",
        "models.synapses: give the path of a model, or both",
    ),
    ("models: {synapses: {address: 'https://a.org/n', sha256: ab}}", "models.synapses: is no checksum; write sha256"),
    (f"models: {{synapses: {{address: n.chkpt, sha256: {'a' * 64}}}}}", "models.synapses: is no address on the web"),
    ("models: {links: nowhere.skops}", "models.links: nowhere.skops: no such file, looked up from"),
    ("models: {links: folder.skops}", "models.links: folder.skops: is a folder, where a file is needed"),
    ("models: {links: ''}", "models.links: is '', which is empty"),
    ("models: {links: [model.skops]}", "models.links: give text"),
    (f"models: {{links: {LONG}.skops}}", "is too long"),
    ("twophoton: {training: {start: model.skops}}", "twophoton.training.start: is 'model.skops'"),
    ("twophoton: {training: {start: no.safetensors}}", "twophoton.training.start: no.safetensors: no such file"),
    ("twophoton: {training: {fields: [nowhere]}}", "twophoton.training.fields: nowhere: no such file"),
    (
        "twophoton: {training: {fields: [folder.skops]}}",
        "twophoton.training.fields: folder.skops: needs to be a folder with `images/` and boxes.csv or outlines.csv",
    ),
    ("twophoton: {training: {fields: nowhere}}", "twophoton.training.fields: give a list"),
    ("twophoton: {training: {pixel_um: []}}", "twophoton.training.pixel_um"),
    ("twophoton: {detect: {boxes: nowhere.csv}}", "twophoton.detect.boxes: nowhere.csv: no such file"),
    ("twophoton: {track: {corrections: nowhere.tsv}}", "twophoton.track.corrections: nowhere.tsv: no such file"),
    ("twophoton: {track: {corrections: notes.txt}}", "notes.txt: is empty"),
    ("linking: {proofread: {decisions: nowhere.tsv}}", "linking.proofread.decisions: nowhere.tsv: no such file"),
    ("linking: {proofread: {decisions: folder.skops}}", "linking.proofread.decisions: folder.skops: is a folder"),
    ("linking: {proofread: {url: 'localhost:8000'}}", "linking.proofread.url: 'localhost:8000' does not match"),
    ("synapses: {uniformity: {block_tables: {b: no.csv}}}", "block_tables.b: no.csv: no such file"),
    ("synapses: {uniformity: {block_tables: {b: v.h5}}}", "block_tables.b: v.h5: unknown kind of table"),
    # names
    ("synapses: {uniformity: {block_tables: {a b: table.csv}}}", "block_tables: the name 'a b': use letters, digits"),
    ("synapses: {uniformity: {block_tables: {../a: table.csv}}}", "block_tables: the name '../a': use letters, digits"),
    ("synapses: {uniformity: {block_tables: {a: table.csv, A: table.csv}}}", "the names a and A differ by case alone"),
    ("synapses: {uniformity: {block_tables: {7: table.csv}}}", "block_tables[7]: give text, not 7"),
    (f"synapses: {{uniformity: {{block_tables: {{{LONG}: table.csv}}}}}}", "is 300 bytes long as part of a file name"),
    ("synapses: {uniformity: {block_tables: {v: table.csv}}, train: []}", "block_tables: names v, which is a volume"),
    (
        "synapses: {uniformity: {block_tables: {V: table.csv}}}",
        "names V, which differs from the volume v by case alone",
    ),
    ("phantom: {specimens: {a.b: {}}}", "phantom.specimens: the name 'a.b': use letters, digits"),
    ("phantom: {specimens: {con: {}}}", "is the name of a device under Windows"),
    ("phantom: {specimens: {'': {}}}", "phantom.specimens: the name '': use letters, digits"),
    ("phantom: {specimens: {a: {}, A: {}}}", "the names a and A differ by case alone"),
    # samples that no sheet has
    ("twophoton: {train: [m.g]}", "twophoton.train: names m.g, which is no series"),
    ("twophoton: {train: [m]}", "twophoton.train: names m, which is no series"),
    ("twophoton: {train_judge: [m.f.0]}", "twophoton.train_judge: names m.f.0, which is no series"),
    ("twophoton: {train: [m.f]}", "twophoton.train: names m.f, whose timepoint 0 has no truth_spines"),
    ("twophoton: {train_judge: [m.f]}", "twophoton.train_judge: names m.f, whose timepoint 0 has no truth_spines"),
    (
        "synapses: {train: [vv]}",
        "synapses.train: names vv, which is no volume of the sheet `volumes`; did you mean 'v'?",
    ),
    ("synapses: {train: [w]}", "synapses.train: names w, which has no image and truth_synapses"),
    ("synapses: {classify: {marked_vesicles: {w: table.csv}}}", "names w, which is no volume with an image"),
    ("linking: {train: [V]}", "linking.train: names V, which is no volume"),
    ("linking: {train: [v]}", "linking.train: names v, which has no truth_segmentation, truth_links or truth_types"),
    ("linking: {detach: {volumes: [v]}}", "linking.detach.volumes: names v, which is no volume with a segmentation"),
    ("linking: {detach: {volumes: ['']}}", "linking.detach.volumes: names , which is no volume"),
    ("neurons: {train: [n3]}", "neurons.train: names n3, which is no neuron of the sheet `neurons`"),
    ("neurons: {train: [n2]}", "neurons.train: names n2, which has no truth_labels"),
    # keys that are none
    ("sede: 1", "sede: no such key; did you mean 'seed'?"),
    ("neurons: {shrads: 4}", "neurons.shrads: no such key; did you mean 'shards'?"),
    ("Neurons: {shards: 4}", "Neurons: no such key; did you mean 'neurons'?"),
    ("phantom: {specimens: {a: {sead: 1}}}", "phantom.specimens.a.sead: no such key; did you mean 'seed'?"),
    ("linking.shards: 4", "linking.shards: no such key"),
    ("1: 2", "the configuration: the key 1 is no text"),
    ("neurons: {1: 2}", "neurons: the key 1 is no text"),
    ("linking:", "linking: give keys below it (train, shards, cuboid"),
    ("linking: []", "linking: give keys below it (train, shards, cuboid"),
    ("linking: 4", "linking: give keys below it (train, shards, cuboid"),
    ("linking: {typing: orphan}", "linking.typing: give keys below it (working_nm"),
    ("phantom: {specimens: {a: }}", "phantom.specimens.a: give keys below it (seed, days"),
    ("phantom: {specimens: [a]}", "phantom.specimens: give keys with their values"),
    ("samples:", "samples: give keys below it (stacks, volumes, neurons, cells)"),
    ("samples: stacks.tsv", "samples: give keys below it (stacks, volumes, neurons, cells)"),
    ("samples: {stack: stacks.tsv}", "samples.stack: no such key; did you mean 'stacks'?"),
    ("retrieve: {files: {a: {url: 'http://x'}}}", "retrieve.files.a: has no checksum"),
    ("a: &a [*a]", "a: no such key"),
    ("seed: &a [*a]", "seed: give a whole number"),
]


@pytest.mark.parametrize(("text", "words"), VALUES, ids=[text[:60] for text, _ in VALUES])
def test_a_bad_value_of_the_configuration(folder, text, words):
    given = yaml.safe_load(text)
    assert words in told({"samples": every_sheet()} | given)


S, V, N, C = (SHEETS[kind][0] for kind in ("stacks", "volumes", "neurons", "cells"))
UM, NM = "\tvoxel_z_um\tvoxel_y_um\tvoxel_x_um", "\tvoxel_z_nm\tvoxel_y_nm\tvoxel_x_nm"
SYNAPSE_NM = "\tsynapse_voxel_x_nm\tsynapse_voxel_y_nm\tsynapse_voxel_z_nm"
# the kind of sheet, its text; what the message says beside its path
ROWS = [
    # numbers
    (
        "stacks",
        f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1e9\t0.1\t0.1",
        "row 2, column voxel_z_um: give a number from 0.005 to 50",
    ),
    (
        "stacks",
        f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1\t1e-9\t0.1",
        "column voxel_y_um: give a number from 0.005 to 50, not '1e-9'",
    ),
    ("stacks", f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1\t0.1\tnan", "column voxel_x_um: give a number"),
    ("stacks", f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1\t0\t0.1", "column voxel_y_um: give a number"),
    ("stacks", f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t-1\t0.1\t0.1", "column voxel_z_um: give a number"),
    (
        "stacks",
        f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1,5\t0.1\t0.1",
        "column voxel_z_um: give a number from 0.005 to 50, not '1,5'",
    ),
    ("stacks", f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1 um\t0.1\t0.1", "column voxel_z_um: give a number"),
    ("stacks", f"{S}{UM}\nm\tf\t0\t0\ts0.tif\t1", "give the value along all three axes"),
    ("stacks", f"{S}\nm\tf\t0\tinf\ts0.tif", "column day: give a number from -100,000 to 100,000, not 'inf'"),
    ("stacks", f"{S}\nm\tf\t0\tnan\ts0.tif", "column day: give a number"),
    ("stacks", f"{S}\nm\tf\t0\t1e300\ts0.tif", "column day: give a number"),
    (
        "stacks",
        f"{S}\nm\tf\t0\t2024-01-05\ts0.tif",
        "column day: give a number from -100,000 to 100,000, not '2024-01-05'",
    ),
    ("stacks", f"{S}\nm\tf\t0\ttrue\ts0.tif", "column day: give a number"),
    ("stacks", f"{S}\tchannel\nm\tf\t0\t0\ts0.tif\t-1", "column channel: numbers of channels count from 0 to 999"),
    ("stacks", f"{S}\tchannel\nm\tf\t0\t0\ts0.tif\t0.5", "column channel: numbers of channels count from 0"),
    (
        "volumes",
        f"volume\timage{NM}\nv\tv.h5::a\t1e9\t8\t8",
        "column voxel_z_nm: give a number from 0.5 to 5,000, not '1e9'",
    ),
    (
        "volumes",
        f"volume\timage{NM}\nv\tv.h5::a\t0.04\t0.008\t0.008",
        "column voxel_z_nm: give a number from 0.5 to 5,000",
    ),
    ("volumes", f"volume\timage{NM}\nv\tv.h5::a\t40\t\t8", "give the value along all three axes"),
    (
        "neurons",
        f"{N}\ttruth_weight\nn1\tn.npz\tn.npz\t0",
        "column truth_weight: give a number from 0.001 to 1,000, not '0'",
    ),
    ("neurons", f"{N}\tsoma_x_nm\tsoma_y_nm\tsoma_z_nm\nn1\tn.npz\t\tinf\t0\t0", "column soma_x_nm: give a number"),
    ("neurons", f"{N}\tsoma_x_nm\nn1\tn.npz\t\t5", "give the value along all three axes"),
    ("neurons", f"{N}{SYNAPSE_NM}\nn1\tn.npz\t\t4\t4\t1e9", "column synapse_voxel_z_nm: give a number"),
    (
        "cells",
        f"{C}\n6.48E+17\tbasket",
        "column root_id: give a whole number from 1 and below 9,223,372,036,854,775,808, not '6.48E+17'",
    ),
    ("cells", f"{C}\n0\tbasket", "column root_id: give a whole number"),
    ("cells", f"{C}\n9223372036854775808\tbasket", "column root_id: give a whole number"),
    (
        "cells",
        f"{C}\tbroad_class\n5\tbasket\tglia",
        "column broad_class: give one of excitatory, inhibitory, not 'glia'",
    ),
    # names
    ("stacks", f"{S}\n{LONG}\tf\t0\t0\ts0.tif", "column specimen: 'xxx"),
    ("stacks", f"{S}\n{LONG}\tf\t0\t0\ts0.tif", "is 300 bytes long as part of a file name, at most 175 fit"),
    (
        "stacks",
        f"{S}\n{ALMOST}\t{ALMOST}\t0\t0\ts0.tif",
        "columns specimen, field and timepoint: are 203 bytes together",
    ),
    ("volumes", f"{V}\n{LONG}\tv.h5::a", "column volume: 'xxx"),
    ("volumes", f"{V}\n{'ж' * 40}\tv.h5::a", "is 240 bytes long as part of a file name"),
    ("neurons", f"{N}\n{LONG}\tn.npz", "column neuron: 'xxx"),
    ("stacks", f"{S}\nm/n\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\nm.n\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\n..\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\nm n\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\nm{{a}}\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\nm*\tf\t0\t0\ts0.tif", "column specimen: use letters, digits"),
    ("stacks", f"{S}\nCON\tf\t0\t0\ts0.tif", "column specimen: 'CON' is the name of a device under Windows"),
    ("stacks", f"{S}\nm\tlpt1\t0\t0\ts0.tif", "column field: 'lpt1' is the name of a device under Windows"),
    ("stacks", f"{S}\nm\tf\tNaN\t0\ts0.tif", "column timepoint: 'NaN' is read as a missing value"),
    ("neurons", f"{N}\nNULL\tn.npz", "column neuron: 'NULL' is read as a missing value"),
    ("volumes", f"{V}\nTrue\tv.h5::a", "column volume: 'True' is read as a missing value or as yes or no"),
    ("volumes", f"{V}\nsheet\tv.h5::a", "column volume: 'sheet' stands for the sheet of neurons"),
    ("neurons", f"{N}\nvolume-x\tn.npz", "column neuron: names that begin with 'volume-' are those of neurons made"),
    (
        "stacks",
        f"{S}\nm\tf\t0\t0\ts0.tif\nM\tf\t1\t1\ts1.tif",
        "row 3, column specimen: M and m of row 2 differ by case alone",
    ),
    (
        "stacks",
        f"{S}\nm\tf\ta\t0\ts0.tif\nm\tf\tA\t1\ts1.tif",
        "row 3, column specimen, field, timepoint: m.f.A and m.f.a",
    ),
    ("volumes", f"{V}\nv\tv.h5::a\nV\tv.h5::a", "row 3, column volume: V and v of row 2 differ by case alone"),
    ("neurons", f"{N}\nstraße\tn.npz\nSTRASSE\tn.npz", "differ by case alone"),
    (
        "stacks",
        f"{S}\nm\tf\t0\t0\ts0.tif\nm\tf\t0\t1\ts1.tif",
        "row 3, column specimen, field, timepoint: m f 0 is in row 2",
    ),
    ("cells", f"{C}\n5\tbasket\n5\tL4", "row 3, column root_id: 5 is in row 2"),
    # sessions of a series
    ("stacks", f"{S}\nm\tf\t0\t0\ts0.tif\nm\tf\t1\t0\ts1.tif", "timepoints 0 and 1 are both of day 0"),
    ("stacks", f"{S}\nm\tf\t0\t0\ts0.tif\nm\tf\t1\t1\ts0.tif", "timepoints 0 and 1 name one file"),
    ("stacks", f"{S}\nm\tf\t9\t0\tresources/phantom/phantom/session_9.ome.tif", "no such session of the simulated"),
    ("stacks", f"{S}\nm\tf\t0\t0\tresources/phantom/phantom/session_x.ome.tif", "no such session of the simulated"),
    ("stacks", f"{S}\nm\tf\t0\t0\tresources/phantom/p/session_0.ome.tif", "phantom.specimens has no p; there are"),
    ("volumes", f"{V}\nv\tresources/phantom/fantom/em.zarr::image", "phantom.specimens has no fantom; did you mean"),
    (
        "neurons",
        f"{N}\nn\tresources/phantom/p/mesh.npz",
        "phantom.specimens has no p; there are phantom, phantom_train",
    ),
    # files
    ("stacks", f"{S}\nm\tf\t0\t0\tnowhere.tif", "row 2, column path: nowhere.tif: no such file"),
    ("stacks", f"{S}\nm\tf\t0\t0\t", "row 2, column path: is empty"),
    ("stacks", f"{S}\nm\tf\t0\t0\t{LONG}.tif", "column path: 'xxx"),
    ("stacks", f"{S}\nm\tf\t0\t0\t{{x}}.tif", "column path: '{x}.tif' has a '{'"),
    ("stacks", f"{S}\nm\tf\t0\t0\t<x>.tif", "column path: '<x>.tif' has a '<'"),
    ("stacks", f"{S}\nm\tf\t0\t0\t~/s0.tif", "column path: '~/s0.tif' begins with '~'"),
    ("stacks", f'{S}\nm\tf\t0\t0\t"s0\t.tif"', r"column path: 's0\t.tif' has a character that cannot be seen"),
    ("stacks", f"{S}\nm\tf\t0\t0\ts0\0.tif", "column path: 's0\\x00.tif' has a character that cannot be seen"),
    ("stacks", f"{S}\nm\tf\t0\t0\ts0\u2028.tif", "column path: 's0\\u2028.tif' has a character that cannot be seen"),
    ("stacks", f"{S}\nm\tf\t0\t0\thttps://host/s.tif", "column path: only meshes and volumes are read from an address"),
    ("volumes", f"{V}\nv\tnowhere.zarr::a", "column image: nowhere.zarr: no such file"),
    ("volumes", f"{V}\nv\t", "column image: give an image, or a segmentation"),
    ("volumes", f"{V}\nv\tv.h5::a\tv.h5::a", "column segmentation: names the same data as column image"),
    ("neurons", f"{N}\nn1\thttps://host/meshes", "write https://host/meshes::ID"),
    ("neurons", f"{N}\nn1\tn.npz\tnowhere.npz", "column truth_labels: nowhere.npz: no such file"),
    # the table itself
    ("stacks", "", "is empty"),
    ("stacks", "\n\n# only a remark\n", "is empty"),
    ("stacks", S, "has no row"),
    ("stacks", f"{S}\tday\nm\tf\t0\t0\ts0.tif\t1", "header, column day: is there 2 times"),
    ("stacks", f"{S}\tvoxel\nm\tf\t0\t0\ts0.tif\t1", "header, column voxel: no such column"),
    ("stacks", f"{S}\tDay\nm\tf\t0\t0\ts0.tif\t1", "header, column Day: no such column; did you mean 'day'?"),
    ("stacks", "specimen\t\ttimepoint\tday\tpath\nm\tf\t0\t0\ts0.tif", "header, column 2: has no name"),
    ("stacks", "specimen\tfield\ttimepoint\tday\nm\tf\t0\t0", "header, column path: is missing"),
    ("stacks", S.replace("\t", ",") + "\nm,f,0,0,s0.tif", "separate the columns by tabs, not by commas"),
    ("stacks", S.replace("\t", ";") + "\nm;f;0;0;s0.tif", "separate the columns by tabs, not by semicolons"),
    ("stacks", S.replace("\t", "  ") + "\nm  f  0  0  s0.tif", "separate the columns by tabs, not by spaces"),
    ("stacks", f"{S}\nm\tf\t0\t0\ts0.tif\tmore", "row 2: has 6 cells, the header has 5 columns"),
    ("stacks", f'{S}\n"m\tf\t0\t0\ts0.tif', "row 2: cannot be split into cells"),
    ("stacks", f'{S}\n"m"x\tf\t0\t0\ts0.tif', "row 2: cannot be split into cells"),
    ("stacks", f"{S}\n{'z' * 200_000}\tf\t0\t0\ts0.tif", "row 2: cannot be split into cells"),
    ("stacks", f"{S}\nm\tf", "row 2, column timepoint: is empty"),
    ("stacks", f"{S}\nmütze\tf\t0\t0\ts0.tif".encode("latin-1"), "cannot be read as text in UTF-8"),
    ("stacks", f"{S}\nm\tf\t0\t0\ts0.tif".encode("utf-16"), "cannot be read as text in UTF-8"),
    ("stacks", b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xb5", "cannot be read as text in UTF-8"),
    ("stacks", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "cannot be read as text in UTF-8"),
]


@pytest.mark.parametrize(("kind", "text", "words"), ROWS, ids=[f"{words[:50]}" for _, _, words in ROWS])
def test_a_bad_sample_sheet(folder, kind, text, words):
    sheet = folder / "bad.tsv"
    sheet.write_bytes(text if isinstance(text, bytes) else text.encode())
    message = told({"samples": every_sheet(**{kind: "bad.tsv"})})
    assert words in message
    assert "bad.tsv: " in message or words.startswith(("timepoints", "no such session", "phantom.specimens")), message


def test_what_spreadsheets_write_is_taken(folder):
    """A byte order mark, line ends of Windows and of old Macintoshes, empty cells at the end, whole numbers as 1.0."""
    text = f'\ufeff{S}\tchannel\t\t\r\nm\tf\t0\t0\ts0.tif\t1.0\t\t\r\n\r\nm\tf\t1\t3\t"s1.tif"\t\t\t\r\n'
    for line_end in ("\r\n", "\r", "\n"):
        Path("good.tsv").write_bytes(text.replace("\r\n", line_end).encode())
        parse({"samples": {"stacks": "good.tsv"}})


def test_bad_sheets_of_several_kinds_are_told_together(folder):
    Path("bad.tsv").write_text(f"{N}\nn1\tnowhere.npz\n")
    message = told({"samples": every_sheet(neurons="bad.tsv", cells="nowhere.tsv")})
    assert "bad.tsv: row 2, column mesh" in message and "nowhere.tsv: no such sample sheet" in message


REPEATED = [
    ("seed: 1\nseed: 2\n", "line 2: the key 'seed' is there in line 1 as well"),
    ("seed: 1\n'seed': 2\n", "line 2: the key 'seed' is there in line 1 as well"),
    ("neurons:\n  shards: 1\n  shards: 2\n", "line 3: the key 'shards' is there in line 2 as well"),
    ("neurons: {shards: 1, shards: 2}\n", "line 1: the key 'shards'"),
    ("phantom:\n  specimens:\n    a: {}\n    a: {}\n", "line 4: the key 'a' is there in line 3 as well"),
    ('{"seed": 1,\n "seed": 2}\n', "line 2: the key 'seed' is there in line 1 as well"),
]


@pytest.mark.parametrize(("text", "words"), REPEATED)
def test_a_key_that_is_there_twice(tmp_path, text, words):
    (tmp_path / "c.yaml").write_text(text)
    (problem,) = repeated_keys(tmp_path / "c.yaml")
    assert problem.startswith(f"{tmp_path / 'c.yaml'}: {words}")


def test_keys_that_are_there_once(tmp_path):
    """Those of a mapping that is brought in count less than its own, and one name may be in several mappings."""
    text = "base: &b {seed: 1}\na: {<<: *b, seed: 2}\nb: {<<: *b}\nlist: [{seed: 1}, {seed: 2}]\nc: &c [*c]\n"
    (tmp_path / "c.yaml").write_text(text)
    assert repeated_keys(tmp_path / "c.yaml") == []
    (tmp_path / "c.yaml").write_text("")
    assert repeated_keys(tmp_path / "c.yaml") == []
    for file in REPOSITORY.glob("config/**/*.yaml"):
        assert repeated_keys(file) == []


def test_a_correction_that_no_session_fits(folder):
    header = "specimen\tfield\tdecision\ttimepoint\tz_um\ty_um\tx_um"
    Path("c.tsv").write_text(f"{header}\nm\tf\tno spine\t0\t1\tnan\t3\nm\tf\tperhaps\t0\t1\t2\t3\n")
    message = told({"samples": every_sheet(), "twophoton": {"track": {"corrections": "c.tsv"}}})
    assert "row 2, column y_um: give a number" in message and "row 3, column decision: give one of same" in message


def test_volumes_whose_names_were_once_files_of_another(folder):
    """`a` and `a_fragments` have results of their own."""
    Path("volumes.tsv").write_text(f"{V}\na\tv.h5::a\na_fragments\tv.h5::a\na_matches\tv.h5::a\n")
    parse({"samples": every_sheet()})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Config file must be given as JSON or YAML with keys at top level"),
        ("- a\n- b\n", "Config file must be given as JSON or YAML with keys at top level"),
        ("samples: {volumes: volumes.tsv}\nresults: 'res{x}'\n", "results: is 'res{x}', which has a '{'"),
        ("samples: {volumes: volumes.tsv}\nseed: 1\nseed: 2\n", "line 3: the key 'seed' is there in line 2 as well"),
        ("samples: {volumes: volumes.tsv}\nlinking: {shards: 1000000000}\n", "from 1 to 10,000, not 1000000000"),
        ("samples: {volumes: volumes.tsv, stacks: bad.tsv}\n", "column specimen: 'xxx"),
        ("samples: {volumes: volumes.tsv}\nlinking: {train: [u]}\n", "linking.train: names u, which is no volume"),
    ],
)
def test_snakemake_tells_it_before_it_plans(snakemake, folder, text, words):
    Path("bad.tsv").write_text(f"{S}\n{LONG}\tf\t0\t0\ts0.tif\n")
    Path("c.yaml").write_text(text)
    plan = snakemake(folder, "--dry-run", "--configfile", folder / "c.yaml")
    assert plan.returncode == 1
    assert words in plan.stdout
    assert "Traceback" not in plan.stdout and "job" not in plan.stdout


def test_snakemake_plans_volumes_that_shared_files(snakemake, folder):
    truth = "v.h5::a\t\tv.h5::b\tv.h5::c"
    rows = [f"{name}\t{truth}" for name in ("a", "a_fragments", "a_matches")]
    Path("volumes.tsv").write_text(
        "\n".join(["volume\timage\tsegmentation\ttruth_segmentation\ttruth_synapses", *rows])
    )
    Path("c.yaml").write_text("samples: {volumes: volumes.tsv}\n")
    plan = snakemake(folder, "--dry-run", "--configfile", folder / "c.yaml", "--", "linking")
    assert plan.returncode == 0, plan.stdout
    assert "results/linking/truth/a_fragments/links.parquet" in plan.stdout
    assert "results/linking/truth/a/fragments.parquet" in plan.stdout
