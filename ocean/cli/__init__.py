"""`ocean ...`: processes, the client, the operator."""
