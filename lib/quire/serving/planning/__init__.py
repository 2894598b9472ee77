"""Planning fleets: profiles, lengths, formulas of waiting, two pools, judges and certificates."""
