# The twophoton branch.


rule twophoton:
    input:
        [],
