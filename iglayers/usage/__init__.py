"""How many messages a workspace has sent in a month, against its monthly limit. Owns usage_months."""
