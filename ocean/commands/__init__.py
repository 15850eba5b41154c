"""The commands, each declared once."""
