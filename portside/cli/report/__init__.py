"""What tasks report about recipes, plans and images: a value for `--json`, and lines for people made from it."""
