"""Bundles: a run in one file that anybody can check and replay.

Read in this order: `archive` (a zip that is safe to open), `contents` (what goes in), `crate` (how
it describes itself: RO-Crate and CODECHECK), `replaying` (the run inside the bundle's own folder)
and `verification` (what came out, claim by claim).
"""

from quire.workbook.bundles.contents import bundle
from quire.workbook.bundles.verification import Checked, verify

__all__ = ["Checked", "bundle", "verify"]
