"""The tests, one folder a slice; a package so that no installed package called `tests` comes first."""
