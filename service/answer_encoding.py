"""From an answer to JSON, piece by piece, so that a large answer does not keep all threads waiting."""

from service.middleware.request_context import current_request
from service.schemas import PredictResponse, RepresentResponse


def encode_answer(answer: PredictResponse | RepresentResponse) -> bytes:
    """The same bytes as ``answer.model_dump_json()``; other requests may go first between two results."""
    context = current_request()
    model = answer.model.model_dump_json()
    results = []
    for result in answer.results:
        context.check()
        results.append(result.model_dump_json())
    errors = [error.model_dump_json() for error in answer.errors]
    return f'{{"model":{model},"results":[{",".join(results)}],"errors":[{",".join(errors)}]}}'.encode()
