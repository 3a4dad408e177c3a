"""Functions that send a request to where their callers say: which operation of a coordinator it is, is told where the path is known."""

from __future__ import annotations

import pytest
from systems import system


def _told(text: str) -> list[tuple[str, str, str]]:
    """(operation, backend, key) of all that is done to a coordinator."""
    return sorted((str(o.op), o.backend, o.key_text) for o in system(a=text).operations() if o.backend in ("consul", "etcd"))


LAYERS = {
    "text that is added": """
        import requests
        def ask(query):
            return requests.get("http://localhost:8500/v1/" + query).json()
        """,
    "a format and a name on the way": """
        import requests
        BASE = "http://consul:8500/v1/{}"
        def ask(query):
            url = BASE.format(query)
            answer = requests.get(url, timeout=2)
            answer.raise_for_status()
            return answer.json()
        """,
    "a method that is named": """
        import requests
        def send(method, path, **options):
            return requests.request(method, "http://consul:8500" + path, **options)
        def ask(query):
            return send("GET", "/v1/" + query).json()
        """,
    "a method that is looked up": """
        import requests
        def send(method, path):
            return getattr(requests, method)("http://consul:8500/v1/" + path)
        def ask(query):
            return send("get", query).json()
        """,
    "branches for the methods": """
        import requests
        def send(path, method="GET", data=None):
            url = "http://consul:8500/v1/" + path
            if method == "PUT":
                answer = requests.put(url, data=data)
            else:
                answer = requests.get(url)
            return answer
        def ask(query):
            return send(query).json()
        """,
    "a setting and urljoin": """
        import os
        import requests
        from urllib.parse import urljoin
        BASE = os.environ.get("CONSUL", "http://consul:8500")
        def ask(query):
            return requests.get(urljoin(BASE, "v1/" + query)).json()
        """,
    "a client with a base": """
        import httpx
        client = httpx.Client(base_url="http://consul:8500/v1")
        def ask(query):
            return client.get(query).json()
        """,
    "the standard library": """
        import json
        from urllib.request import Request, urlopen
        def ask(query, data=None, method="GET"):
            with urlopen(Request("http://consul:8500/v1/" + query, data=data, method=method)) as answer:
                return json.load(answer)
        """,
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_what_generic_layers_send_is_told_by_who_names_the_path(layers: str) -> None:
    text = layers + """
        def address(name):
            return ask("health/service/web")
        def flag():
            return ask("kv/flags/dark")
        """
    assert _told(text) == [("discover", "consul", "web"), ("read", "consul", "flags/dark")]


def test_the_base_may_come_from_a_constructor_and_options_from_the_caller() -> None:
    text = """
        import requests
        class Api:
            def __init__(self, base):
                self.base = base
            def _call(self, method, path, **options):
                return requests.request(method, self.base + path, **options)
            def hold(self, key, holder):
                return self._call("PUT", "/kv/" + key, params={"acquire": holder}).json()
            def tree(self, prefix):
                return self._call("GET", f"/kv/{prefix}", params={"recurse": "true"}).json()
        def main(holder):
            api = Api("http://consul:8500/v1")
            api.hold("leader", holder)
            return api.tree("jobs")
        """
    assert {(op, backend) for op, backend, _ in _told(text)} == {("acquire", "consul"), ("list", "consul")}


def test_the_base_may_be_what_a_subclass_says() -> None:
    text = """
        import requests
        class Service:
            root = ""
            def get(self, path):
                return requests.get(self.root + path)
        class Registry(Service):
            root = "http://consul:8500/v1/"
            def members(self):
                return self.get("agent/members")
        """
    assert _told(text) == [("discover", "consul", "")]


def test_the_gateway_of_etcd_is_told_by_its_callers_too() -> None:
    text = """
        import requests
        def etcd(api, body):
            return requests.post(f"http://etcd:2379/v3/{api}", json=body, timeout=1).json()
        def grant():
            return etcd("lease/grant", {"TTL": 10})
        def swap(compare):
            return etcd("kv/txn", compare)
        """
    assert [op for op, _, _ in _told(text)] == ["lease", "transaction"]


@pytest.mark.parametrize("path", ["orders/7", "kvartal/1", "sessions/create"])
def test_other_services_stay_what_they_are(path: str) -> None:
    text = f"""
        import requests
        def get(path):
            return requests.get("http://shop/api/v1/" + path).json()
        def f():
            return get("{path}")
        """
    assert _told(text) == []


def test_the_same_layer_may_speak_to_a_coordinator_for_one_caller_only() -> None:
    text = """
        import requests
        def get(url):
            return requests.get(url, timeout=2).json()
        def flag():
            return get("http://consul:8500/v1/kv/flag")
        def price():
            return get("http://shop/price")
        """
    assert _told(text) == [("read", "consul", "flag")]


def test_the_handlers_of_all_layers_stand_around_it() -> None:
    text = """
        import requests
        def ask(query):
            try:
                return requests.get("http://consul:8500/v1/" + query, timeout=2).json()
            except requests.RequestException:
                return None
        def flag():
            return ask("kv/flag")
        """
    (operation,) = [o for o in system(a=text).operations() if o.backend == "consul"]
    assert operation.symbol == "a.flag"
    assert operation.via == ("ask",)
    assert [g.catches for g in operation.guards] == [("requests.exceptions.RequestException",)]


def test_what_is_read_and_set_behind_two_layers_meets_where_the_key_is_named() -> None:
    text = """
        import requests
        def ask(path):
            return requests.get("http://consul:8500/v1/" + path, timeout=2).text
        def tell(path, data):
            return requests.request("PUT", "http://consul:8500/v1/" + path, data=data, timeout=2)
        def kv_get(key):
            return ask("kv/" + key + "?raw")
        def kv_set(key, value):
            tell("kv/" + key, value)
        def count(name):
            seen = int(kv_get("counters/" + name))
            kv_set("counters/" + name, seen + 1)
        """
    (write,) = [o for o in system(a=text).operations(carried=True) if o.reads_back is not None]
    assert (write.symbol, write.key_text, write.backend) == ("a.count", "counters/{name}", "consul")


NAMED = {
    "all local names": '"http://{host}:8500/v1/{query}".format(**locals())',
    "all local names, as a mapping": '"http://{host}:8500/v1/{query}".format_map(vars())',
    "a dictionary that is spread": '"http://{h}:8500/v1/{path}".format(**{"h": host, "path": query})',
    "a dictionary that is made by keywords": '"http://{h}:8500/v1/{path}".format_map(dict(h=host, path=query))',
    "percent signs": '"http://%(host)s:8500/v1/%(query)s" % locals()',
}


@pytest.mark.parametrize("url", NAMED.values(), ids=NAMED)
def test_a_template_that_is_filled_by_name_has_the_path_of_who_calls(url: str) -> None:
    text = f"""
        import requests
        def ask(query, host="consul"):
            return requests.get({url}).json()
        def limit():
            return ask("kv/limits/search")
        """
    assert _told(text) == [("read", "consul", "limits/search")]


def test_a_template_that_is_filled_from_elsewhere_has_no_path() -> None:
    text = """
        import requests
        def ask(query, given):
            return requests.get("http://consul:8500/{version}/{query}".format(**given)).json()
        def limit(given):
            return ask("kv/limits/search", given)
        """
    assert _told(text) == []
