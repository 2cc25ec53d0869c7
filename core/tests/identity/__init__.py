"""Identity providers for tests: the real Keycloak, node's oidc-provider, and the fake of `openlakes_portal.testing`.

All three are used through `Provider` (contract.py); test_providers.py holds them to the same behaviour.
"""
