"""The parts of the fake OpenID provider. Import from `openlakes_portal.testing.identity_provider`."""
