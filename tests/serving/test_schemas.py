"""What may be asked: wrong values get a sentence, and the OpenAPI document says all of it."""

import pytest
import schemathesis
from helpers.serving import refused, upload
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"top_k": "0"}, 422, "^top_k: .*greater than or equal to 1"),
        ({"top_k": "many"}, 422, "^top_k: .*integer"),
        ({"hop_seconds": "nan"}, 422, "^hop_seconds: "),
        ({"hop_seconds": "0"}, 422, "^hop_seconds: .*0.05"),
        ({"model": "cats"}, 404, "tones, numbers"),
        ({"model": "x" * 2000}, 422, "The form cannot be read"),
        ({str(i): "x" for i in range(100)}, 422, "Too many fields"),
    ],
)
def test_wrong_fields(fields, status, words, url):
    refused(upload(url, **fields), status, words)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_openapi_document_knows(mode, url):
    """What fits the document is sent, and what does not."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    for result in document.get_all_operations():
        operation = result.ok()
        if mode == GenerationMode.NEGATIVE and not (operation.body or operation.path_parameters):
            continue  # there is nothing to get wrong

        @settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def check(case):
            # Of a string of bytes, a schema cannot say that it must be audio.
            case.call_and_validate(excluded_checks=[positive_data_acceptance], timeout=20)

        check()
