"""The log and its projections on SQLite and PostgreSQL, and the object store beside."""
