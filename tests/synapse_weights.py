"""The layers of the published synapse network as its authors call them."""

import re


def their_name(name):
    """A layer of ours as the authors call it."""
    name = re.sub(r"^up\.(\d)\.enlarged", r"rszconvmod\1.upsampling.conv.conv", name)
    name = re.sub(r"^up\.(\d)\.normal\.", r"rszconvmod\1.bn1.", name)
    name = re.sub(r"^up\.(\d)\.block\.", r"rszconvmod\1.convmod.", name)
    name = re.sub(r"^down\.(\d)\.", r"convmod\1.", name)
    name = re.sub(r"convolution(\d)", r"conv\1.conv", re.sub(r"normal(\d)", r"bn\1", name))
    for ours, theirs in (("entry", "inputconv.conv.conv"), ("embed", "embedconv.conv.conv")):
        name = re.sub(f"^{ours}", theirs, name)
    return re.sub("^head", "outputdeconv.psd_label.conv", name)
