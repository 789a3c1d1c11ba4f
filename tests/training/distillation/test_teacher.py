"""Teachers: what they say equals what transformers says."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from training.distillation.teacher import TeacherError, load_teacher, new_teacher, save_teacher

TEXTS = ["The film was not good.", "soup", "a bad bad bad film", "The soup was good . " * 20]


def test_logits_equal_the_pipeline_of_transformers_one_text_at_a_time(teacher_folder):
    model = AutoModelForSequenceClassification.from_pretrained(teacher_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(teacher_folder)
    with torch.no_grad():
        expected = [
            model(**tokenizer(text, truncation=True, max_length=24, return_tensors="pt")).logits[0] for text in TEXTS
        ]
    teacher = load_teacher(str(teacher_folder), max_tokens=100)
    found = teacher.logits(TEXTS, tokens_per_batch=30, bfloat16=False)
    np.testing.assert_allclose(found, torch.stack(expected).numpy(), atol=1e-5)
    assert teacher.labels == ["bad", "fair", "good"]


def test_a_text_is_cut_at_what_the_model_can_read(teacher_folder):
    teacher = load_teacher(str(teacher_folder), max_tokens=100)
    assert teacher.max_tokens == 24
    assert [len(ids) for ids in teacher.token_ids(TEXTS)] == [8, 3, 7, 24]


def test_a_model_without_a_head_is_no_teacher(base_folder):
    with pytest.raises(TeacherError, match=r"not a sequence classifier but BertModel(.|\n)*Fine-tune it first"):
        load_teacher(str(base_folder), max_tokens=24)


def test_a_folder_without_a_model_is_no_teacher(tmp_path):
    with pytest.raises(TeacherError, match="cannot be loaded as a teacher"):
        load_teacher(str(tmp_path), max_tokens=24)


def test_what_is_saved_is_what_is_loaded(base_folder, tmp_path):
    torch.manual_seed(0)
    teacher = new_teacher(str(base_folder), ["no", "yes"], max_tokens=24)
    save_teacher(teacher, tmp_path)
    again = load_teacher(str(tmp_path), max_tokens=24)
    assert again.labels == ["no", "yes"]
    options = {"tokens_per_batch": 64, "bfloat16": False}
    np.testing.assert_array_equal(again.logits(TEXTS, **options), teacher.logits(TEXTS, **options))
