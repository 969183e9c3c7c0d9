from sqlmodel import SQLModel

from mcp_gateway.store import tables


def test_the_tables_are_these_and_no_column_holds_a_secret() -> None:
    columns = {table.name: set(table.columns.keys()) for table in SQLModel.metadata.sorted_tables}

    assert set(columns) == {"access_requests", "api_keys", "pins", "revision", "revocations"}
    assert columns["api_keys"] == set(tables.ApiKeyRow.model_fields)
    assert not {"key", "text", "secret", "password"} & columns["api_keys"]
