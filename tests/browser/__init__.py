"""A package, so that `make screenshots` can run a part of it."""
