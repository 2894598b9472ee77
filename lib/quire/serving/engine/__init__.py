"""The engine: scheduler, pool of blocks, replays, fleets, and batches of configurations."""
