"""Columns that several tables share."""

# a place in um: from the centre of the first voxel of a stack, from the corner of a volume
POSITION = ["z_um", "y_um", "x_um"]
