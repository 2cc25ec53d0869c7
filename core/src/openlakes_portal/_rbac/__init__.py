"""Who may do what: roles are named sets of permissions, bindings give roles to people, everything else is denied."""
