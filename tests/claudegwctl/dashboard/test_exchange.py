from claudegwctl.dashboard.exchange import DashboardRequest, json_response, refusal


def test_a_refusal_is_json_with_its_text() -> None:
    found = refusal(404, "cannot find it")
    assert (found.status, found.content_type, found.body) == (404, "application/json", b'{"error": "cannot find it"}')
    assert json_response([1]).status == 200


def test_nothing_secret_is_in_a_repr() -> None:
    secret = "sk-false-1"
    assert secret not in repr(DashboardRequest("GET", "/", {"token": secret}, {"cookie": secret}, secret.encode()))
