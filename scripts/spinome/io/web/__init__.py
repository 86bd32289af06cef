"""Files behind a public address, one at a time and within limits."""
