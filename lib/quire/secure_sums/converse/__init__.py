"""What no protocol can beat: Shannon's inequalities as linear programs, and exact proofs from them.

Read in this order: `entropy_space`, `programs`, `proofs`, `gaps`; `certificates` and its
independent checker ``check_certificate.py``.
"""
