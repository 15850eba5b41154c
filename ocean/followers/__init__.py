"""What follows the log in the background of a process."""
