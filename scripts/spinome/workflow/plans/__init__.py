"""What the rules of each branch ask: which units, which shards, which files, which teachers, what is scored."""
