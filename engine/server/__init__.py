"""The decision service: AuthZEN over HTTP. A front end; nothing in the engine imports it."""
