"""Files put into a store and deleted from it, and the refusal of addresses where none can be put."""

from pathlib import Path

from ..errors import DataError
from .addresses import holds_credentials, public_name
from .retries import retried
from .stores import check_bucket, file_system, fresh


def check_output(address: str) -> None:
    """Refuse to write where nothing can be written, or what would be told on.

    Raises:
        DataError: it is a web server, there is no such bucket, or credentials stand in the address.
    """
    if holds_credentials(address):
        raise DataError(
            f"--output {public_name(address)} holds credentials, and answers tell where they lie: give them as the "
            "store's own tools take them."
        )
    if address.lower().startswith(("http://", "https://")):
        raise DataError(
            f"{public_name(address)} is on a web server, which takes no files: give s3://, gs:// or az://."
        )
    check_bucket(address)


def upload(file: Path, address: str) -> None:
    """Put a file where an address says, whole or not at all.

    Raises:
        DataError: it cannot be.
    """
    system, place = file_system(address)
    try:
        retried(address, lambda: system.put_file(str(file), place))
        fresh(system)
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "nothing can be written there"
        raise DataError(f"{public_name(address)} cannot be written ({reason}): choose another place.") from None


def delete(address: str) -> None:
    """Delete a file."""
    system, place = file_system(address)
    retried(address, lambda: system.rm_file(place))
