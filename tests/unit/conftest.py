"""Property tests: the same examples in every run, and nothing that depends on how busy the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "portside", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("portside"), derandomize=False, print_blob=True)
settings.load_profile("portside")
