"""What the markers of requirements (PEP 508) see on a target that is not this machine."""


def marker_environment(version: str, platform: str, extra: str = "") -> dict[str, str]:
    """The environment as uv takes it: CPython's first patch level, on Linux.

    version: such as 3.11. platform: of wheels, such as x86_64-manylinux_2_28. extra: the one that is asked for.
    """
    full = f"{version}.0"
    return {
        "python_version": version,
        "python_full_version": full,
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": platform.partition("-")[0],
        "platform_release": "",
        "platform_version": "",
        "extra": extra,
    }
