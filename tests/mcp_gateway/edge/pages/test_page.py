from mcp_gateway.edge.pages.page import HEADERS, page


def test_what_is_shown_is_text_whatever_it_holds() -> None:
    answer = page("said.html", 403, title="<b>", text='"><img src=x onerror=1>')

    text = bytes(answer.body).decode()
    assert answer.status_code == 403
    assert "<b>" not in text
    assert "<img" not in text


def test_every_page_has_the_headers_that_keep_it_to_itself() -> None:
    answer = page("said.html", title="a", text="b")

    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
