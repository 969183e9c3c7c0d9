from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import templates

HOSTED = "https://{instance}.service-now.com/sncapps/mcp/{server}"
WHOLE = "https://{account}/api/v2/{name}"
SHAPED = st.text(alphabet="aZ0-_./\\:@?#%&{}[] \t\r\n\x00é", max_size=12)


def test_each_value_is_put_in_its_place() -> None:
    assert templates.fill(HOSTED, {"instance": "acme-1", "server": "sn_default"}) == (
        "https://acme-1.service-now.com/sncapps/mcp/sn_default"
    )
    assert templates.fill(WHOLE, {"account": "a-b.example.com", "name": "X"}) == (
        "https://a-b.example.com/api/v2/X"
    )


@pytest.mark.requirement("catalogue:variables-stay-in-place")
@pytest.mark.parametrize(
    "value",
    [
        "evil.example/",
        "evil.example#",
        "evil.example?",
        "evil.example\\",
        "evil.com",
        "u@evil",
        "a:443",
        "a%2eb",
        "-a",
        "a-",
        "a" * 64,
        "a\n",
        "a b",
        "é",
        "{server}",
        "",
    ],
)
def test_a_value_for_a_label_is_one_label(value: str) -> None:
    with pytest.raises(ValueError, match="the variable instance is") as refused:
        templates.fill(HOSTED, {"instance": value, "server": "x"})

    assert len(value) < 5 or value not in str(refused.value)


@pytest.mark.requirement("catalogue:variables-stay-in-place")
@pytest.mark.parametrize(
    "value", ["..", ".", "a/b", "a?b", "a#b", "a%2fb", "a\\b", ".a", "a b", ""]
)
def test_a_value_for_a_path_is_one_segment(value: str) -> None:
    with pytest.raises(ValueError, match="the variable server is"):
        templates.fill(HOSTED, {"instance": "acme", "server": value})


@pytest.mark.requirement("catalogue:variables-stay-in-place")
@pytest.mark.parametrize(
    "value",
    ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "a.b:80", "u@a.b", "a_b.c", "a..b"],
)
def test_a_value_for_a_host_is_a_name_and_no_address(value: str) -> None:
    with pytest.raises(ValueError, match="the variable account is"):
        templates.fill(WHOLE, {"account": value, "name": "x"})


@pytest.mark.requirement("catalogue:variables-stay-in-place")
@given(SHAPED, SHAPED)
def test_whatever_is_given_the_url_is_of_the_host_and_as_deep_as_the_template(
    instance: str, server: str
) -> None:
    try:
        filled = templates.fill(HOSTED, {"instance": instance, "server": server})
    except ValueError:
        return
    parts = urlsplit(filled)

    assert parts.netloc == f"{instance}.service-now.com"
    assert parts.path == f"/sncapps/mcp/{server}"
    assert (parts.query, parts.fragment, parts.username) == ("", "", None)


@pytest.mark.parametrize(
    "template",
    ["{x}://a.example/", "https://a.example:{x}/", "https://a.example/?q={x}", "https://a.b/#{x}"],
)
def test_a_variable_stands_nowhere_else(template: str) -> None:
    with pytest.raises(ValueError, match="no value may stand"):
        templates.fill(template, {"x": "a"})


def test_a_brace_that_is_no_variables_is_refused() -> None:
    with pytest.raises(ValueError, match="brace"):
        templates.fill("https://a.example/{1}", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "file:///etc/passwd",
        "https://localhost/",
        "https://a.localhost/",
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://2130706433/",
        "https://u:p@example.com/",
    ],
)
def test_what_is_not_of_the_public_web_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        templates.public(url)


def test_what_is_of_the_public_web_is_taken_as_it_is() -> None:
    assert templates.public("https://mcp.example.com/mcp") == "https://mcp.example.com/mcp"
    assert templates.public("https://8.8.8.8/") == "https://8.8.8.8/"
