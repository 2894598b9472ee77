"""A simulated root-cause analysis with known truth: the world, agents in it, their records."""
