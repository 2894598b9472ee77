"""Wire protocols, as pure functions on bytes: what a client sends, and what it reads.

``_dialect`` says what a protocol has to offer; ``mqtt``, ``resp`` (Redis), ``nats``, ``amqp`` and
``frames`` (our own relay and echo) offer it; ``stamps`` is the 24 bytes that every message carries.
"""
