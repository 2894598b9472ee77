"""What venues say and when: ``streams`` (step functions), ``stamps`` (coarse clocks), ``taq``."""
