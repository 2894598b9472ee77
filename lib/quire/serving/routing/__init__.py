"""Which server, which pool, which model: routers, rules and what they learn."""
