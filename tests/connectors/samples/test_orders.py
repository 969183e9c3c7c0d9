"""The order desk of the first run, as the application that it is."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from connectors.samples.orders import application


@pytest.fixture
async def desk() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(application())
    async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as client:
        yield client


async def test_orders_are_listed_for_all_or_for_one(desk: httpx2.AsyncClient) -> None:
    everybody = (await desk.get("/orders")).json()["orders"]
    ada = (await desk.get("/orders", params={"customer": "Ada"})).json()["orders"]
    nobody = (await desk.get("/orders", params={"customer": ""})).json()["orders"]

    assert [order["id"] for order in everybody] == ["1001", "1002"]
    assert [order["id"] for order in ada] == ["1001"]
    assert nobody == []


async def test_an_order_is_entered_shown_and_paid_back(desk: httpx2.AsyncClient) -> None:
    fields = {"customer": "Joan", "item": "cup", "quantity": 3}
    made = await desk.post("/orders", json=fields)
    path = f"/orders/{made.json()['id']}"
    paid_back = await desk.post(f"{path}/refund")
    shown = await desk.get(path)

    assert made.status_code == 201
    assert made.json() == {**fields, "id": "1003", "state": "open"}
    assert paid_back.json() == shown.json() == {**made.json(), "state": "refunded"}


@pytest.mark.parametrize("path", ["/orders/9", "/orders/9/refund"])
async def test_an_order_that_is_not_there_is_not_found(desk: httpx2.AsyncClient, path: str) -> None:
    answer = await (desk.post(path) if path.endswith("refund") else desk.get(path))

    assert (answer.status_code, answer.json()) == (404, {"error": "no such order"})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"customer":"Joan","item":"cup"}',
        b'{"customer":"Joan","item":"cup","quantity":0}',
        b'{"customer":"Joan","item":"cup","quantity":"3"}',
        b'{"customer":"Joan","item":"cup","quantity":true}',
        b'{"customer":7,"item":"cup","quantity":1}',
        b'{"customer":"","item":"cup","quantity":1}',
    ],
)
async def test_an_order_that_is_none_is_not_entered(
    desk: httpx2.AsyncClient, content: bytes
) -> None:
    answer = await desk.post("/orders", content=content)

    assert answer.status_code == 422
    assert "error" in answer.json()
    assert len((await desk.get("/orders")).json()["orders"]) == 2
