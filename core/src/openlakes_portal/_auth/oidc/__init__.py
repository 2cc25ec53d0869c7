"""The identity provider as an OpenID Connect client sees it: discovery, keys, sign-in, renewal, sign-out."""
