"""Somebody else's packages: ``geographiclib`` (geodesics), ``pyreadr`` (R's data files)."""
