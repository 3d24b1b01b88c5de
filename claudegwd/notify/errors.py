"""Why a notification did not arrive. The texts never hold more of an address than its host."""


class DeliveryError(Exception):
    """It was not delivered, and another try would not help."""


class TryAgainError(DeliveryError):
    """It was not delivered; another try may help."""
