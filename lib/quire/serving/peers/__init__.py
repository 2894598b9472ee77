"""The same loop on somebody else's simulator (`simpy`)."""
