"""For all tests."""

import signal

from hypothesis import settings

# A busy machine is no fault of the code: nothing here fails for the time that an example took.
settings.register_profile("claudegwd", deadline=None)
settings.load_profile("claudegwd")

# A shell starts a command in the background with this signal ignored, and programs inherit that: those that a test ends
# by it would then run on, and the test with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
