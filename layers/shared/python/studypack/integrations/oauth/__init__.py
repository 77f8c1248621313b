"""Google and GitHub as providers of identity: OAuth 2 with PKCE, OpenID Connect at Google."""
