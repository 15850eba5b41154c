"""`python -m ocean.cli`."""

from ocean.cli.main import main

main(prog_name="ocean")
