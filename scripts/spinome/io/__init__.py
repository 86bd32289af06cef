"""Readers and writers of the field's formats; units are checked here, once."""
