"""The joint spine table and tables by cell class."""
