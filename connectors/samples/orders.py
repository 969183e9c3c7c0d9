"""A small order desk with a REST API: the internal application of the first run.

Run as `python -m connectors.samples.orders PORT`; it listens on 127.0.0.1 and keeps its orders
in memory.
"""

import itertools
import sys
from typing import Any

import uvicorn
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class NewOrder(BaseModel):
    """What somebody wants to have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    customer: str = Field(min_length=1, max_length=200)
    item: str = Field(min_length=1, max_length=200)
    quantity: int = Field(ge=1, le=10_000)


class Orders:
    """The order book."""

    def __init__(self) -> None:
        self._ids = itertools.count(1003)
        self._book: dict[str, dict[str, Any]] = {
            "1001": _order("1001", "Ada", "teapot", 2),
            "1002": _order("1002", "Grace", "kettle", 1),
        }

    async def all(self, request: Request) -> JSONResponse:
        customer = request.query_params.get("customer")
        chosen = [o for o in self._book.values() if customer in (None, o["customer"])]
        return JSONResponse({"orders": chosen})

    async def create(self, request: Request) -> JSONResponse:
        try:
            new = NewOrder.model_validate_json(await request.body())
        except ValidationError as error:
            said = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            return JSONResponse({"error": "; ".join(said)}, status_code=422)
        id_ = str(next(self._ids))
        self._book[id_] = _order(id_, new.customer, new.item, new.quantity)
        return JSONResponse(self._book[id_], status_code=201)

    async def one(self, request: Request) -> JSONResponse:
        order = self._book.get(request.path_params["id"])
        if order is None:
            return JSONResponse({"error": "no such order"}, status_code=404)
        return JSONResponse(order)

    async def refund(self, request: Request) -> JSONResponse:
        order = self._book.get(request.path_params["id"])
        if order is None:
            return JSONResponse({"error": "no such order"}, status_code=404)
        order["state"] = "refunded"
        return JSONResponse(order)


def application() -> Starlette:
    orders = Orders()
    return Starlette(
        routes=[
            Route("/orders", orders.all, methods=["GET"]),
            Route("/orders", orders.create, methods=["POST"]),
            Route("/orders/{id}", orders.one, methods=["GET"]),
            Route("/orders/{id}/refund", orders.refund, methods=["POST"]),
        ]
    )


def _order(id_: str, customer: str, item: str, quantity: int) -> dict[str, Any]:
    return {"id": id_, "customer": customer, "item": item, "quantity": quantity, "state": "open"}


if __name__ == "__main__":
    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
