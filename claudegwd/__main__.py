"""`python -m claudegwd`."""

from claudegwd.main import main

main()
