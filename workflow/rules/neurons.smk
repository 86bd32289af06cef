# The neurons branch.


rule neurons:
    input:
        [],
