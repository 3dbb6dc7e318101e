"""The profiles: every module here that defines `PROFILE` is one."""

import importlib
import pkgutil
from collections.abc import Iterator

from speedtest.verdicts.profile import Profile


def _profiles() -> Iterator[Profile]:
    for found in pkgutil.iter_modules(__path__):
        profile = getattr(importlib.import_module(f"{__name__}.{found.name}"), "PROFILE", None)
        if isinstance(profile, Profile):
            yield profile


PROFILES: dict[str, Profile] = {
    profile.name: profile for profile in sorted(_profiles(), key=lambda each: (each.second_hand, each.name))
}
"""Every profile by name, those at second hand last."""
