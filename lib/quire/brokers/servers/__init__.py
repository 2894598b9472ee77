"""Real servers on loopback, started and stopped whatever happens.

``_guard`` is the program that stands between us and a server; ``running`` starts it; ``catalogue``
says how each broker is started and, for those that are not to be had, what is missing; ``relay`` is
our own null broker and echo; ``resets`` a proxy that cuts connections.
"""
