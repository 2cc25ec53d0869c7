"""The commands of `openlakes`, one a module. Each has `main(arguments) -> exit status`."""
