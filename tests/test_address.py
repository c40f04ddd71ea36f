"""The address of a run: what is composed is read back, what is malformed is refused in one sentence."""

import zlib
from base64 import urlsafe_b64encode
from dataclasses import replace
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.errors import SettingsError
from gpt2.experiments.part import head, mlp, stream
from gpt2.experiments.plan import Mute, Patch, Steer
from gpt2.experiments.plan_text import MOST_NAME, NamedChange
from gpt2.model.sampling import Sampling
from pages.visit.address import MOST_READ, MOST_STEPS, Address, compose, read_address
from pages.visit.controls import Controls

samplings = st.builds(
    Sampling,
    temperature=st.floats(0, 1e308, allow_nan=False),
    top_k=st.integers(0, 10**18),
    top_p=st.floats(0, 1, exclude_min=True),
    seed=st.integers(0, 2**63 - 1),
)
controls = st.builds(Controls, samplings, st.integers(1, MOST_STEPS), st.just(8.0), st.booleans())
texts = st.text(min_size=1) | st.text('"&=#%+?;<script>\n\r\t\0 ', min_size=1) | st.text("ab ", min_size=400)
numbers, short = st.integers(0, 99), st.text('~_0 -"é', min_size=1, max_size=9)
places = st.none() | st.lists(numbers, unique=True, max_size=4).map(sorted).map(tuple)
parts = st.builds(head, numbers, numbers) | st.builds(mlp, numbers)
some = st.lists(parts, min_size=1, max_size=5, unique=True).map(tuple)
changes = (
    st.builds(Mute, some, st.sampled_from(["zero", "mean"]), positions=places)
    | st.builds(Mute, some, st.just("scale"), st.integers(-20, 30).map(lambda tenths: tenths / 10), places)
    | st.builds(Steer, numbers, st.integers(-200, 200).map(lambda share: share / 100), short, positions=places)
    | st.builds(Steer, numbers, st.just(0.5), st.just(""), short, short, places)
    | st.builds(Patch, short, parts | st.builds(stream, numbers), places, st.booleans())
)


@given(
    prompt=texts,
    controls=controls,
    drawn=st.lists(st.tuples(st.integers(1, 50), samplings), max_size=4),
    model=st.none() | st.text(min_size=1, max_size=100),
    step=st.none() | st.integers(0, 10**18),
    head=st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)),
    watched=st.none() | st.integers(0, 10**18),
    change=st.none() | st.builds(NamedChange, changes, st.text(max_size=MOST_NAME)),
)
def test_whatever_is_composed_is_read_back(prompt, controls, drawn, model, step, head, watched, change) -> None:
    each = tuple(sampling for count, sampling in drawn for _ in range(count))
    address = Address(prompt, None, model, controls, each, "", step, head, watched, change)
    query = compose(address)
    assert query.isascii() and not set(query) & set("\"'<># \\`") and len(parse_qs(query)) >= 1
    if len(query) <= MOST_READ:
        assert read_address(query) == address


@given(st.text())
def test_any_query_is_read_or_refused_in_one_sentence(query) -> None:
    try:
        read_address(query)
    except SettingsError as refusal:
        assert str(refusal).startswith("The address ") and str(refusal).endswith("; ask for the link again.")


@given(
    values=st.dictionaries(
        st.sampled_from(["z", "drawn", "tokens", "head", "at", "top_p", "seed", "check", "change"]), st.text()
    )
)
def test_any_value_is_read_or_refused(values) -> None:
    try:
        read_address("&".join(f"{name}={quote(value)}" for name, value in values.items()))
    except SettingsError as refusal:
        assert len(str(refusal)) < 250


def test_defaults_are_left_out_and_a_short_prompt_can_be_read() -> None:
    assert compose(Address()) == ""
    usual = Address("Once upon a time", samplings=(Address().controls.sampling,) * 12)
    assert compose(usual) == "prompt=Once+upon+a+time&tokens=12"
    changed = replace(usual, samplings=(*usual.samplings, Sampling(0, 0, 1, 1)))
    assert compose(changed) == "prompt=Once+upon+a+time&drawn=12_0.8_0_0.95_1~1_0_0_1_1"


def test_a_change_takes_a_few_letters_of_the_address() -> None:
    for plan, query in (
        (Mute((head(2, 4), mlp(0))), "change=zero_2.4-0.m"),
        (Mute((head(2, 4),), "scale", -0.5, (0, 3)), "change=scale_2.4_0-3_-0.5"),
        (Steer(3, 0.5, " king"), "change=steer_3_50__+king"),
        (Patch("The king", stream(3), align_end=True), "change=patch_3__1_The+king"),
    ):
        assert compose(Address(change=NamedChange(plan))) == query
        assert read_address(query).change == NamedChange(plan)


def test_a_long_prompt_is_packed() -> None:
    assert len(compose(Address("The king and the queen went to the sea. " * 20))) < 150


BOMB = urlsafe_b64encode(zlib.compress(b"a" * 5_000_000)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("prompt=a&prompt=b", "it has prompt twice"),
        ("prompt=a&z=eJwDAAAAAAE", "it has two prompts"),
        ("prompt=", "its prompt is empty"),
        ("prompt=%ff", "prompt is not text"),
        ("prompt=" + "a" * 1_000_000, "too long"),
        ("&".join("abcdefgh"[n % 8] + f"{n}=1" for n in range(200)), "more than 100 parameters"),
        ("z=%3Cscript%3E", "its prompt is damaged"),
        ("z=AAAA", "its prompt is damaged"),
        ("z=" + urlsafe_b64encode(zlib.compress(b"a tale")).decode()[:-4], "its prompt is damaged"),
        ("z=" + urlsafe_b64encode(zlib.compress(b"\xff")).decode().rstrip("="), "its prompt is damaged"),
        ("z=" + BOMB, "more than 200,000 characters"),
        ("run=../../etc/passwd", "run is not one of the recorded runs"),
        ("run=again&prompt=a", "it has two runs"),
        ("temperature=-1", "temperature is not a number"),
        ("temperature=nan", "temperature is not a number"),
        ("temperature=1e999", "temperature must be 0"),
        ("top_p=7", "top-p must be above 0"),
        ("seed=99999999999999999999", "seed is not a whole number"),
        ("seed=٣", "seed is not a whole number"),
        ("ignore_eos=yes", "ignore_eos is neither"),
        ("prompt=a&tokens=0", "it does not draw from 1"),
        ("prompt=a&tokens=999999999", "it does not draw from 1"),
        ("prompt=a&drawn=999999999_1_0_1_1~1_1_0_1_1", "it does not draw from 1"),
        ("prompt=a&drawn=1_1_0_1", "drawn is damaged"),
        ("prompt=a&step=-1", "step is not a whole number"),
        ("prompt=a&head=3", "head is not a layer and a head"),
        ("prompt=a&head=3.x", "head is not a whole number"),
        ("prompt=a&at=-1", "at is not a whole number"),
        ("prompt=a&at=", "at is not a whole number"),
        ("prompt=a&check=no", "check is damaged"),
        ("model=", "model is no name"),
        ("change=", "change is damaged"),
        ("change=zero", "change is damaged"),
        ("change=zero_2", "change is damaged"),
        ("change=zero_2.4_0_1", "change is damaged"),
        ("change=melt_2.4", "change is damaged"),
        ("change=scale_2.4__99", "change is damaged"),
        ("change=steer_2_50", "change is damaged"),
        ("change=patch_2_x_1_king", "change is damaged"),
        ("change=patch_2__7_king", "change is damaged"),
        ("named=mine", "named is no name"),
        ("change=zero_2.4&named=" + "a" * 41, "named is no name"),
    ],
    ids=lambda value: value[:40],
)
def test_a_malformed_address_is_refused_in_one_sentence(query, why) -> None:
    with pytest.raises(SettingsError, match=why) as refusal:
        read_address(query)
    assert len(str(refusal.value)) < 200 and "<" not in str(refusal.value)


def test_unknown_parameters_are_ignored() -> None:
    assert read_address("embed=true&utm=1&utm=2&q=%ff&prompt=Hop") == Address("Hop")
