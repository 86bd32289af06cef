"""Segments on real fly FIB-SEM, links and types on real mouse dendrites, and the graph of real synapses."""

from runner import write_rows

if __name__ == "__main__":
    # here and not above: processes that are measured begin by importing this file
    import links
    import segments

    write_rows("linking", [*segments.rows(), *links.rows()])
