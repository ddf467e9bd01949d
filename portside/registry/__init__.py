"""Images and layers to and from OCI registries; docs/registries.md says what travels and what is checked."""
