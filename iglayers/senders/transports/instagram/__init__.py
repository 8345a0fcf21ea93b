"""Messages through Meta's official API (Instagram Login): connect, send, keep the token alive. HTTP only in `graph`."""
