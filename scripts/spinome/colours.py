"""One colour for one thing, in every figure and in every file for other programs."""

COLOURS = {
    "spine": "#d1495b",
    "shaft": "#edae49",
    "soma": "#66a182",
    "axon": "#8d96a3",
    "truth": "#00798c",
    "found": "#d1495b",
    "missed": "#30638e",
    "false": "#f28f3b",
    "grey": "#8d96a3",
}
