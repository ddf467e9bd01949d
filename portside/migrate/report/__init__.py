"""Reports of a migration: the model, and its three forms."""

from portside.migrate.report.model import FileReport, Hit, HitClass, PatchHit, Report, RuleInfo

__all__ = ["FileReport", "Hit", "HitClass", "PatchHit", "Report", "RuleInfo"]
