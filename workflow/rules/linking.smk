# The linking branch.


rule linking:
    input:
        [],
