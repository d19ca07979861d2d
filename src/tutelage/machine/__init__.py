"""The machine that a run will use, examined: packages, device, threads, storage, surroundings."""
