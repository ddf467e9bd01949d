"""What a person begins with: a machine that can build, and a project of one's own, for which examples are there.

In: a machine, or a folder and perhaps the name of an example.
Out: what is missing installed, or a project with a recipe that can be built.
"""

from portside.begin.examples import example_names
from portside.begin.machine import set_up_machine
from portside.begin.project import Made, make_project

__all__ = ["Made", "example_names", "make_project", "set_up_machine"]
