# What the rules of the twophoton branch are given: stacks and series, their files, the samples to train on.
twophoton_series = sorted({row.series for row in stacks})
twophoton_trained = [row for row in stacks if row.series in config["twophoton"]["train"]]
judge_trained = [row for row in stacks if row.series in config["twophoton"]["train_judge"]]
twophoton_taught = {*config["twophoton"]["train"], *config["twophoton"]["train_judge"]}
twophoton_scored = [row for row in stacks if row.truth_spines and row.series not in twophoton_taught]

if stacks:
    branches.append("twophoton")


def stack_row(wildcards):
    """The row of the sample sheet of a stack."""
    return stack_of[wildcards.specimen, wildcards.field, wildcards.timepoint]


def series_rows(wildcards):
    """The rows of a series, in the order of their days."""
    series = f"{wildcards.specimen}.{wildcards.field}"
    return sorted((row for row in stacks if row.series == series), key=lambda row: row.day)


def stack_files(rows, step, suffix):
    """The files of a step, one a stack."""
    return [f"<results>/twophoton/{step}/{row.series}.{row.timepoint}{suffix}" for row in rows]


def series_files(step, suffix):
    """An input function: the files of a step for the stacks of a series."""
    return lambda wildcards: stack_files(series_rows(wildcards), step, suffix)


def series_sessions(wildcards):
    """Timepoints and days of a series."""
    return [(row.timepoint, row.day) for row in series_rows(wildcards)]


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
