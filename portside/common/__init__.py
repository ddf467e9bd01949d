"""What every room may use: values, trees, canonical JSON, progress. It knows no recipe, no lock and no engine."""
