from typing import Final

from sqlmodel import SQLModel

from mcp_gateway.store import rows, tables

SEALED_OR_HASHED: Final = {
    ("persons", "password"): "an argon2id hash",
    ("clients", "secret"): "a digest",
    ("signing_keys", "public"): "the public half",
}
OPEN: Final = {"key", "password", "private", "public", "secret", "text", "token", "verifier"}


def test_the_tables_are_these() -> None:
    made = {
        value.__tablename__
        for module in (tables, rows)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, SQLModel) and value is not SQLModel
    }

    assert {table.name for table in SQLModel.metadata.sorted_tables} == made


def test_no_column_holds_what_opens_something() -> None:
    named = {
        (table.name, column.name)
        for table in SQLModel.metadata.sorted_tables
        for column in table.columns
        if column.name in OPEN
    }

    assert named == set(SEALED_OR_HASHED)
