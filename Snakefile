# People type `snakemake` here; the workflow itself is in workflow/, where catalogues and other workflows look for it.
include: "workflow/Snakefile"


# an included file does not set what runs when nothing is asked for
workflow.default_target = "all"
