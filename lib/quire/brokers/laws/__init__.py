"""Laws of a broker under load: capacity, waits, saturation, fan-out, memory, stalls, habits."""
