"""What a client has and does: ``networks``, then ``local_training``."""
