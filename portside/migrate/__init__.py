"""From CUDA to another accelerator: a tree and a ruleset in, the migrated tree and a report out."""

from portside.migrate.folder import migrate_folder
from portside.migrate.run import Migration, migrate

__all__ = ["Migration", "migrate", "migrate_folder"]
