"""Other people's simulators and solvers, each behind one file: ngspice, neospice, klujax."""
