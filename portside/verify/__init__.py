"""Build again from nothing and compare: is an image what its recipe and its lock say, and if not, why?

In: a plan and an image that was built of it.
Out: a verdict: the same bytes again, or what differs and why.
"""

from portside.verify.run import verify
from portside.verify.verdict import Verdict

__all__ = ["Verdict", "verify"]
