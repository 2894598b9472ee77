"""What instructions do to numbers, lane by lane.

`integers` (and bits), `single` (exact single precision), `fast_single` (the host's floats where
they can be trusted), `half` (half and bfloat16, alone and in pairs), `double` (on register pairs).
"""
