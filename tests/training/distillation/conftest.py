"""A teacher that needs no download: a BERT of two layers with random weights over a small vocabulary."""

import pytest

pytest.importorskip("transformers", reason="the extra distill is not installed")

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast, set_seed

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "film", "soup", "was", "not", "good", "bad", "."]


def tokenizer():
    pipeline = Tokenizer(models.WordPiece({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    pipeline.normalizer = normalizers.BertNormalizer(lowercase=True)
    pipeline.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    pipeline.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return PreTrainedTokenizerFast(
        tokenizer_object=pipeline, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


def config(**options):
    return BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=24,
        **options,
    )


@pytest.fixture(scope="session")
def teacher_folder(tmp_path_factory):
    """A classifier of three labels."""
    folder = tmp_path_factory.mktemp("teacher")
    set_seed(3)
    labels = {0: "bad", 1: "fair", 2: "good"}
    options = config(num_labels=3, id2label=labels, label2id={label: number for number, label in labels.items()})
    BertForSequenceClassification(options).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory):
    """A pretrained model without a head."""
    folder = tmp_path_factory.mktemp("base")
    set_seed(3)
    BertModel(config()).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
