"""`python -m claudegwctl`."""

from claudegwctl.main import main

if __name__ == "__main__":
    main()
