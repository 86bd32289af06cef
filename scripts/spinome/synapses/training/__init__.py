"""How a synapse classifier is trained, and where it is to operate."""
