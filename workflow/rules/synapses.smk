# The synapses branch.


rule synapses:
    input:
        [],
