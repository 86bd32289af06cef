"""Comparisons of conditions: mixed models on the tables, their inference, the machine's error, and planning."""
