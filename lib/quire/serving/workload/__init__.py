"""Workloads: traces of requests (`trace`), logs of real servers (`logs`), metrics (`metrics`)."""
