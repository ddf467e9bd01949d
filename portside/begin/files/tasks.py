from portside.cli.tasks import *  # noqa: F403
