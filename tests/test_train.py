"""How the bundled model is made: the data, the optimiser, a run that resumes, and a checkpoint that is the model."""

import numpy as np
import pytest
import torch

from gpt2.checkpoints.weights import load_checkpoint
from gpt2.text.hugging_face import END_OF_TEXT
from gpt2.train.corpus import Windows, read_documents, split_documents, train_tokenizer
from gpt2.train.export import write_model
from gpt2.train.heads import along
from gpt2.train.loop import Settings, Trainer
from gpt2.train.model import Shape
from gpt2.train.muon import orthogonalise
from tests.reference import Reference

pytestmark = pytest.mark.slow

DOCUMENTS = [
    f"The fox number {n} met the hen number {n * 7} and said: good day.\nThen it went home." for n in range(400)
]
SHAPE = Shape(vocab_size=300, n_positions=48, n_layer=2, n_head=2, n_embd=16)
SETTINGS = Settings(tokens=48 * 4 * 8, batch=4, warmup_steps=2, seed=3)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(DOCUMENTS, SHAPE.vocab_size)


@pytest.fixture(scope="module")
def windows(tokenizer) -> Windows:
    encoded = [encoding.ids for encoding in tokenizer.encode_batch(DOCUMENTS)]
    return Windows.of(encoded, SHAPE.vocab_size - 1, SHAPE.n_positions, SHAPE.vocab_size, seed=3)


def test_documents_are_read_from_plain_and_compressed_files(tmp_path):
    import lzma

    text = END_OF_TEXT.join(f"\n{document}\n" for document in DOCUMENTS[:5])
    (tmp_path / "tales.txt").write_text(text)
    (tmp_path / "tales.txt.xz").write_bytes(lzma.compress(text.encode()))
    assert read_documents(tmp_path / "tales.txt") == DOCUMENTS[:5] == read_documents(tmp_path / "tales.txt.xz")


def test_the_split_loses_nothing_and_does_not_depend_on_the_order():
    training, held_out = split_documents(DOCUMENTS, 10)
    assert sorted(training + held_out) == sorted(DOCUMENTS)
    assert 0 < len(held_out) < len(DOCUMENTS) / 4
    assert set(split_documents(DOCUMENTS[::-1], 10)[1]) == set(held_out)


def test_end_of_text_is_the_last_id_and_text_comes_back(tokenizer):
    assert tokenizer.token_to_id(END_OF_TEXT) == SHAPE.vocab_size - 1 == tokenizer.get_vocab_size() - 1
    assert tokenizer.decode(tokenizer.encode(DOCUMENTS[0]).ids) == DOCUMENTS[0]


def test_windows_are_cut_from_the_stream_or_repeat_themselves(windows):
    rng = np.random.default_rng(0)
    rows = windows.batch(rng, 200, 0.0)
    assert rows.shape == (200, SHAPE.n_positions + 1)
    stream = " ".join(map(str, windows.stream))
    assert all(" ".join(map(str, row)) in stream for row in rows)
    begins = rows[:, 0] == SHAPE.vocab_size - 1
    assert 5 < begins.sum() < 60
    for row in windows.batch(rng, 20, 1.0):
        periods = [p for p in range(1, len(row)) if (row[p:] == row[:-p]).all()]
        assert periods, row


def test_orthogonalised_matrices_have_singular_values_near_one():
    for shape in ((32, 16), (16, 32), (24, 24)):
        matrix = torch.from_numpy(np.random.default_rng(1).normal(size=shape).astype(np.float32))
        values = torch.linalg.svdvals(orthogonalise(matrix, steps=8))
        assert values.min() > 0.5 and values.max() < 1.5


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(windows, tmp_path):
    whole = Trainer(SHAPE, SETTINGS, SHAPE.vocab_size - 1)
    losses = [whole.train_step(windows) for _ in range(5)]
    first = Trainer(SHAPE, SETTINGS, SHAPE.vocab_size - 1)
    for _ in range(3):
        first.train_step(windows)
    first.save(tmp_path / "checkpoint.safetensors")
    second = Trainer(SHAPE, SETTINGS, SHAPE.vocab_size - 1)
    second.resume(tmp_path / "checkpoint.safetensors")
    assert [second.train_step(windows) for _ in range(2)] == pytest.approx(losses[3:], abs=1e-6)


def test_a_checkpoint_of_another_shape_is_refused(windows, tmp_path):
    from dataclasses import replace

    trainer = Trainer(SHAPE, SETTINGS, SHAPE.vocab_size - 1)
    trainer.train_step(windows)
    trainer.save(tmp_path / "checkpoint.safetensors")
    with pytest.raises(ValueError, match="another shape"):
        Trainer(replace(SHAPE, n_layer=3), SETTINGS, 299).resume(tmp_path / "checkpoint.safetensors")


def test_training_lowers_the_loss_and_ends_with_the_budget(windows, tmp_path, capsys):
    from dataclasses import replace

    trainer = Trainer(SHAPE, replace(SETTINGS, tokens=48 * 4 * 40, repeat_share=0.0), SHAPE.vocab_size - 1)
    first = trainer.train_step(windows)
    trainer.fit(windows, tmp_path / "checkpoint.safetensors", every=20)
    assert trainer.progress >= 1 and trainer.learning_rate() <= 0
    assert trainer.train_step(windows) < first - 1
    assert "step 40 (100.0%)" in capsys.readouterr().out


def test_the_exported_checkpoint_is_the_trained_model(windows, tokenizer, tmp_path):
    """The torch model and an independent NumPy GPT-2 on the written files agree within float16's rounding."""
    trainer = Trainer(SHAPE, SETTINGS, SHAPE.vocab_size - 1)
    for _ in range(3):
        trainer.train_step(windows)
    write_model(trainer, tokenizer, tmp_path)
    checkpoint = load_checkpoint(tmp_path)
    ids = checkpoint.tokenizer.encode(DOCUMENTS[0])[: SHAPE.n_positions]
    with torch.no_grad():
        expected = trainer.model(torch.tensor([ids]))[0].numpy()
    logits = Reference(tmp_path).forward(ids)["logits"]
    assert np.abs(logits - expected).max() <= 5e-3 * np.abs(expected).max()


def test_attention_along_a_diagonal_is_what_a_head_score_measures():
    pattern = np.zeros((1, 2, 6, 6))
    pattern[0, 0, np.arange(1, 6), np.arange(5)] = 1.0
    pattern[0, 1] = np.tril(np.ones((6, 6))) / np.arange(1, 7)[:, None]
    scores = along(pattern, 1, 1)
    assert scores[0, 0] == 1.0
    assert scores[0, 1] == pytest.approx(np.mean([1 / n for n in range(2, 7)]))
