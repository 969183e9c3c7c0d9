"""The vault: which key seals what is secret in the store."""

from typing import Self

from pydantic import Field, model_validator

from mcp_gateway.config.sections import Secret, Section


class Pkcs11(Section):
    """A key in a hardware module, or in one that behaves like one. It never leaves it."""

    module: str = Field(min_length=1)
    token: str = Field(min_length=1)
    label: str = Field(default="mcp-gateway", min_length=1)
    pin: Secret


class VaultSection(Section):
    """Without a `key` and `pkcs11` the key is a file of the data folder, made once.

    The key in force seals; it and those of `previous` open.
    """

    key: Secret | None = None
    previous: list[Secret] = []
    pkcs11: Pkcs11 | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.key and self.pkcs11:
            raise ValueError(
                "key and pkcs11 are two keys, and one seals; an old one is in previous"
            )
        return self
