"""Chapter 08: plans, judges, the 1/W law, routers, learning, and the measured matrix."""
