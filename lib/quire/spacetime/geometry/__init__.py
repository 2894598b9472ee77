"""Where things are: ``earth`` (distances), ``sites`` (places and light delays)."""
