"""M80: the wall clock of the portal's machine is set, forwards and back, while the portal runs."""
