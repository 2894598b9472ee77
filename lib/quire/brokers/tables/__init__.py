"""Tables of measurements that others published: read, derived from, and audited."""
