# Every input is opened before the first job starts, and all problems are told at once.
# No rule takes part in this: an input that is `ancient` hides from Snakemake that jobs behind it have to run.
from spinome.io.atomic import nearest_existing

for key in ("results", "resources"):
    if not nearest_existing(config[key]).is_dir():
        raise WorkflowError(
            f"{nearest_existing(config[key])}: is a file where a folder is needed; remove it, or choose another folder "
            f"by the key `{key}`"
        )


onstart:
    # imported here, since Snakemake reads this file for every job and the readers take a second to load
    from spinome.check import check_configured, check_forest, check_inputs

    problems = check_inputs(
        stacks, volumes, neurons, [config["results"], config["resources"]], config["max_failed_fraction"]
    )
    problems += check_configured(config, stacks, volumes)
    if neurons and not Path(neuron_model).is_relative_to(config["results"]):
        problems += check_forest(neuron_model, neuron_solver)
    if problems:
        raise WorkflowError(f"{len(problems)} problem(s) with the input:", *problems)


onsuccess:
    from spinome.check import failed_units

    print(*failed_units(Path(config["results"]) / "failures.parquet"), sep="\n", file=sys.stderr)
