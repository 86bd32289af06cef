"""The synapse network: its architecture, its training crops, and its tiles."""
