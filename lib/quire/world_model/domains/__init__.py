"""Seven domains, one small system each with the law that it must keep (``laws``)."""
