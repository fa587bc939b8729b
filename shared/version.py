"""The product's version, told to upstreams in the User-Agent and to operators."""

VERSION = "0.1.0"
