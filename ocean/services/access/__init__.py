"""Who may do what: the predicate at work, access records, identity."""
