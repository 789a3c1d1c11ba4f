"""What the settings say of the models to serve."""

import pytest

from model_store import BundleError
from service.models.references import ModelReference, read_all, references
from service.settings import Settings, SettingsError


def test_one_model_has_the_name_in_its_manifest(bundle):
    (reference,) = references(Settings(model=str(bundle)))
    assert reference == ModelReference(None, str(bundle))
    assert reference.read().name == "tiny"
    assert reference.read().path == bundle.resolve()


def test_several_may_be_given_names_and_the_first_has_the_hash_that_is_demanded():
    settings = Settings(models="default, org/reviews=production, a=./with=sign,./b=c", model_sha256="ab" * 32)
    assert references(settings) == [
        ModelReference(None, "default", "ab" * 32),
        ModelReference("org/reviews", "production"),
        ModelReference("a", "./with=sign"),
        ModelReference(None, "./b=c"),
    ]


def test_a_name_can_be_given_once():
    with pytest.raises(SettingsError, match="the name a is given twice"):
        references(Settings(models="a=default,a=production"))


def test_two_bundles_of_one_name_need_other_names(bundle, tiny_bundle):
    with pytest.raises(BundleError, match=r"is named tiny, as .* is; give one of them another name"):
        read_all([ModelReference(None, str(bundle)), ModelReference(None, str(tiny_bundle))])
    named = read_all([ModelReference(None, str(bundle)), ModelReference("other", str(tiny_bundle))])
    assert list(named) == ["tiny", "other"]


def test_another_bundle_than_the_one_demanded_is_refused(bundle):
    with pytest.raises(BundleError, match=f"expected {'ab' * 32} \\(SENTIMENT_MODEL_SHA256\\)"):
        ModelReference(None, str(bundle), "ab" * 32).read()
