"""The HTTP application: authentication, problems, health, and which routes are mounted. Wiring only."""
