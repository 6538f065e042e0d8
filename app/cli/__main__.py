"""`python -m app.cli`: the same as the command `netpulse`."""

from app.cli import main

if __name__ == "__main__":
    main(prog_name="netpulse")
