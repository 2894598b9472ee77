"""All that talks to somebody else's package, one module a package."""
