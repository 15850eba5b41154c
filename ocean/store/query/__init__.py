"""Questions to SQL: one expression tree (sqlglot), lowered to what each engine runs."""
