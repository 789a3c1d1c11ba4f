"""The adapters by name, and the endpoints of those that are switched on."""

from collections.abc import Mapping, Sequence

from service.adapters import huggingface, infinity, openai, tei, vllm
from service.endpoints import Endpoint
from service.settings import PREFIX, AdapterName, SettingsError

ADAPTERS: Mapping[AdapterName, Sequence[Endpoint]] = {
    "tei": tei.ENDPOINTS,
    "huggingface": huggingface.ENDPOINTS,
    "vllm": vllm.ENDPOINTS,
    "infinity": infinity.ENDPOINTS,
    "openai": openai.ENDPOINTS,
}


def adapter_endpoints(names: Sequence[AdapterName]) -> tuple[Endpoint, ...]:
    """The endpoints of these adapters; one that several of them have comes once.

    Raises:
        SettingsError: two of them answer differently at the same path.
    """
    found: dict[tuple[str, str], tuple[AdapterName, Endpoint]] = {}
    for name in names:
        for endpoint in ADAPTERS[name]:
            other, first = found.setdefault((endpoint.method, endpoint.path), (name, endpoint))
            if first is not endpoint:
                message = (
                    f"{PREFIX}ADAPTERS={','.join(names)}: {other} and {name} answer differently at "
                    f"{endpoint.method} {endpoint.path}; leave one of them out"
                )
                raise SettingsError(message)
    return tuple(endpoint for _, endpoint in found.values())
