"""One simulated specimen: geometry, then its mesh, its EM and its two-photon sessions."""
