"""`python -m iglayers` is the command `iglayers`."""

from iglayers.cli.main import app

app(prog_name="iglayers")
