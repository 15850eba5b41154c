"""What is heard at once: streams."""
