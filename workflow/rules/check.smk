# Every input is opened before the first job starts, and all problems are told at once.
# No rule takes part in this: an input that is `ancient` hides from Snakemake that jobs behind it have to run.
onstart:
    # imported here, since Snakemake reads this file for every job and the readers take a second to load
    from spinome.check import check_inputs

    problems = check_inputs(stacks, volumes, neurons, [config["results"], config["resources"]])
    if problems:
        raise WorkflowError(f"{len(problems)} problem(s) with the input:", *problems)
