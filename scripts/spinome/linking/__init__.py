"""EM volumes to agglomerated segments, with orphan spines linked to their shafts."""
