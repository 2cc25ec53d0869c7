"""HTTP: the dispatcher in front, routes from the frozen registry, problems, limits, headers, the console shell."""
