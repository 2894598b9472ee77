"""What the chapter measures.

``theory``, ``exactness``, ``session`` (real quotes), ``feeds`` (consolidated against direct),
``routes`` (microwave), ``speed``.
"""
