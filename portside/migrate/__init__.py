"""From CUDA to another accelerator: a tree and a ruleset in, the migrated tree and a report out.

`run.migrate` works on trees, `folder.migrate_folder` on folders. Nothing is imported here: every plan needs the
rulesets, few need what migrates.

In: a tree and a ruleset.
Out: the migrated tree, and a report of every hit.
"""
