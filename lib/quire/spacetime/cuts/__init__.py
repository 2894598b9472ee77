"""What an observer may read, over consistent cuts.

Read ``polytope`` (cuts of light cones and cuts of frames), ``detection`` (which prices are
possible), ``light_cone_nbbo`` (the interval at every instant), ``lattice`` (the same by
enumeration), ``causality`` (happened-before and what is lost of it).
"""
