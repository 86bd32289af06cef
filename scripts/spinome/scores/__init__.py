"""Every metric once, with its interval."""
