"""Why a notification was not delivered. The texts never contain more of an address than its host."""


class DeliveryError(Exception):
    """It was not delivered, and another try would not help."""


class TryAgainError(DeliveryError):
    """It was not delivered; another try may help."""
