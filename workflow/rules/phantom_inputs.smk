# What the rules of the simulated specimens are given.
def specimen_keys(*names):
    """The keys of a specimen that a step uses, as a function of the wildcards."""

    def chosen(wildcards):
        known = config["phantom"]["specimens"]
        if wildcards.specimen not in known:
            raise WorkflowError(
                f"phantom.specimens: has no '{wildcards.specimen}', which a sample sheet asks for; "
                f"known: {', '.join(known) or 'none'}"
            )
        return {name: known[wildcards.specimen][name] for name in names}

    return chosen
