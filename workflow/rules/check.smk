# Every input is opened before the first job starts, and all problems are told at once.
# No rule takes part in this: an input that is `ancient` hides from Snakemake that jobs behind it have to run.


onstart:
    # imported here, since Snakemake reads this file for every job and the readers take a second to load
    from spinome.io.atomic import sweep
    from spinome.workflow.preflight import check_configured, check_forest, check_inputs

    problems = check_inputs(
        study.stacks,
        study.volumes,
        study.neurons,
        [study.results, config["resources"]],
        config["max_failed_fraction"],
    )
    problems += check_configured(config, study.stacks, study.volumes)
    if study.neurons and neurons_plan.taught_model.given:
        problems += check_forest(neurons_plan.taught_model.given, neurons_plan.solver)
    if problems:
        raise WorkflowError(f"{len(problems)} problem(s) with the input:", *problems)
    print(*study.design.remarks, sep="\n", end="\n" if study.design.remarks else "", file=sys.stderr)
    # what killed jobs left half-written, and what was read of the inputs to plan this run
    sweep(config["results"])
    study.stamps.save()
    study.sizes.learn(study.volumes)


# A run that did not ask for `complete`, which ends with an error itself, is told here what is missing.
onsuccess:
    from spinome.workflow.missing import missing_so_far
    from spinome.workflow.preflight import failed_units, unlike_inputs

    told = failed_units(Path(study.results) / "failures.parquet")
    models = {"twophoton": "judge of spines", "synapses": "model of synapses", "linking": "model of links"}
    for section, model in (models | {"neurons": "model of neurons"}).items():
        told += unlike_inputs(Path(study.results) / section / "limits.parquet", model)
    print(*told, sep="\n", file=sys.stderr)
    lacking = missing_so_far(
        {step: [in_results(file) for file in tables] for step, tables in finished_tables.items()},
        [in_results(file) for file in failure_tables],
        config["max_failed_fraction"],
    )
    if lacking:
        raise WorkflowError(
            f"more is missing than max_failed_fraction {config['max_failed_fraction']:g} allows:",
            *lacking,
            "Mend the reasons and run again, which tries these units again and computes no finished one; a target that "
            f"is a file is made again with --forcerun {' '.join(line.partition(':')[0] for line in lacking)}.",
        )
