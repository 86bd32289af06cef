# The report.


rule report:
    input:
        [],
