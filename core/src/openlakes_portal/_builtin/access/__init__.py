"""Routes of access: roles, bindings, people, requests, explanations."""
