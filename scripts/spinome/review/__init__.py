"""What a person answers about the results of a run, and what is done with the answers."""
