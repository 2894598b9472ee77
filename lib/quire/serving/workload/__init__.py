"""Workloads: `trace` (requests), `prefixes`, `mooncake`, `logs` (of real servers), `metrics`."""
