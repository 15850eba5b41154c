"""All logic, in wings, one feature a file: each takes the wired-up Ocean, a Caller and typed arguments."""
