"""Images and layers to and from OCI registries; docs/registries.md says what travels and what is checked.

In: a reference, and credentials of this machine.
Out: blobs and manifests, there and back, by the OCI distribution protocol.
"""
