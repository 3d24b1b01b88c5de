"""For all tests."""

from hypothesis import settings

# A busy machine is no fault of the code: nothing here fails for the time that an example took.
settings.register_profile("claudegwd", deadline=None)
settings.load_profile("claudegwd")
