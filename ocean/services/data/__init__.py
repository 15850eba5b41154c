"""Records and the log: save, get, list, update, remove, bulk, counters, the chain."""
