"""Two-photon stacks over days to detected, tracked and measured spines."""
