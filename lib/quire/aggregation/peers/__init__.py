"""The same training in other people's packages, one file for each."""
