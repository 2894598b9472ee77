"""Links between devices: what collectives and transfers cost (`collectives`)."""
