"""Capture: the recorder an agent holds, and what an interceptor saw against what it said."""
