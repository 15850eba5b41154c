"""`python -m ops.dns --data DIR`: the operator's zone for mail, as `ocean mail dns --zone` writes it."""

import sys

from ocean.cli.mail import dns

if __name__ == "__main__":
    dns(["--zone", *sys.argv[1:]])
