"""How good a sketch is: Nystrom, test matrices, expectation bounds and measured errors."""
