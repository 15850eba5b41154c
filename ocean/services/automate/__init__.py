"""What people's own code does here."""
