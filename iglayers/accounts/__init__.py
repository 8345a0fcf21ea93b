"""Who may do what: workspaces and their settings, users, API keys, rate limits, idempotency keys, the audit log.

Owns workspaces, wakeups, users, members, invitations, sessions, api_keys, rate_limits, idempotency_keys,
audit_log and installation. Every slice above takes its Caller from here.
"""
