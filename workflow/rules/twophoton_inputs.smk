# What the rules of the twophoton branch are given: stacks and series, their files, the samples to train on.
twophoton_series = sorted({row.series for row in stacks})
twophoton_trained = [row for row in stacks if row.series in config["twophoton"]["train"]]
judge_trained = [row for row in stacks if row.series in config["twophoton"]["train_judge"]]
twophoton_taught = {*config["twophoton"]["train"], *config["twophoton"]["train_judge"]}
twophoton_scored = [row for row in stacks if row.truth_spines and row.series not in twophoton_taught]

twophoton_corrections = []
if stacks and config["twophoton"]["track"]["corrections"]:
    try:
        twophoton_corrections = samples.read_corrections(config["twophoton"]["track"]["corrections"], stacks)
    except ValueError as error:
        raise WorkflowError(str(error)) from None

if stacks:
    branches.append("twophoton")
    failure_tables += [f"<results>/failures/twophoton_register/{row.series}.{row.timepoint}.parquet" for row in stacks]
    if problems := samples.series_problems(stacks):
        raise WorkflowError("\n".join(f"{config['samples']['stacks']}: {problem}" for problem in problems))


def stack_row(wildcards):
    """The row of the sample sheet of a stack."""
    return stack_of[wildcards.specimen, wildcards.field, wildcards.timepoint]


def series_rows(wildcards):
    """The rows of a series, in the order of their days."""
    series = f"{wildcards.specimen}.{wildcards.field}"
    return sorted((row for row in stacks if row.series == series), key=lambda row: row.day)


def stack_files(rows, step, suffix):
    """The files of a step, one per stack."""
    return [f"<results>/twophoton/{step}/{row.series}.{row.timepoint}{suffix}" for row in rows]


def series_files(step, suffix):
    """An input function: the files of a step for the stacks of a series."""
    return lambda wildcards: stack_files(series_rows(wildcards), step, suffix)


def series_sessions(wildcards):
    """Timepoints and days of a series."""
    return [(row.timepoint, row.day) for row in series_rows(wildcards)]


def corrections_of(*decisions):
    """An input function: what a person decided of the stack or series of the wildcards, as plain values."""

    def chosen(wildcards):
        rows = [row.model_dump() for row in twophoton_corrections if row.decision in decisions]
        return [row for row in rows if all(row[key] == value for key, value in wildcards.items())]

    return chosen


def training_stacks(key, column):
    """An input function: a column of the rows that `twophoton.<key>` names for training."""

    def chosen(wildcards):
        known = {row.series for row in stacks if row.truth_spines}
        if unknown := set(config["twophoton"][key]) - known:
            raise WorkflowError(
                f"twophoton.{key} names {', '.join(sorted(unknown))} without truth_spines in the sample sheet; "
                f"series with truth: {', '.join(sorted(known)) or 'none'}"
            )
        return [getattr(row, column) for row in stacks if row.series in config["twophoton"][key]]

    return chosen
