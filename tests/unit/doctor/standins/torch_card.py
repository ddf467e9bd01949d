"""A plug-in that fails to load where the driver is not."""

import os

if os.environ.get("CARD_FAULT") == "driver":
    raise OSError("libcard_driver.so: cannot open shared object file")
