"""What stands between Snakemake and the library: samples, plans, steps, shards, keys, checks, provenance."""
