"""Questions from their text: forms of our own, in the benchmark's words."""

import pytest
from jaxtyping import TypeCheckError

from quire.world_model import Unreadable, answer

WORLD = "Imagine a self-contained, hypothetical world with only the following conditions: "
CONFOUNDED = WORLD + "Age has a direct effect on dose and cure. Dose has a direct effect on cure. "
COLLIDER = WORLD + "Talent has a direct effect on fame. Looks has a direct effect on fame. "
FRONT = WORLD + (
    "Gene has a direct effect on smoking and cancer. Smoking has a direct effect on tar. "
    "Tar has a direct effect on cancer. Gene is unobserved. "
)
RAISES = "Will dose increase the chance of cure?"
SIMPSON = (
    "For old people and no dose, the probability of cure is 20%. For old people and dose, the "
    "probability of cure is 30%. For young people and no dose, the probability of cure is 70%. For "
    "young people and dose, the probability of cure is 80%. The overall probability of age is 50%. "
)


def test_adjustment_goes_before_the_crude_difference():
    told = answer(CONFOUNDED + SIMPSON + RAISES)
    assert (told.answer, told.identified) == ("yes", True)
    assert told.value == pytest.approx(0.1)
    assert answer(CONFOUNDED + SIMPSON + "Will dose decrease the chance of cure?").answer == "no"


def test_a_crude_difference_is_not_identified_under_confounding():
    numbers = (
        "For no dose, the probability of cure is 20%. For dose, the probability of cure is 30%. "
    )
    assert not answer(CONFOUNDED + numbers + RAISES).identified


def test_front_door():
    numbers = (
        "For nonsmokers, the probability of tar is 20%. For smokers, the probability of tar is "
        "70%. For nonsmokers and no tar, the probability of cancer is 10%. For nonsmokers and tar, "
        "the probability of cancer is 30%. For smokers and no tar, the probability of cancer is "
        "40%. For smokers and tar, the probability of cancer is 60%. The overall probability of "
        "smoking is 40%. "
    )
    told = answer(FRONT + numbers + "Will smoking increase the chance of cancer?")
    assert told.value == pytest.approx(0.5 * (0.6 * 0.2 + 0.4 * 0.2)) and told.identified


def test_the_graph_goes_before_rounded_numbers():
    numbers = (
        "The overall probability of talent is 41%. The probability of no talent and looks is 32%. "
        "The probability of talent and looks is 25%. "
    )
    asked = COLLIDER + numbers + "Is the chance of looks larger when observing talent?"
    assert (answer(asked).answer, answer(asked).reason) == ("no", "graph")
    assert answer(asked, structure_first=False).answer == "yes"


@pytest.mark.parametrize(("verb", "want"), [("affects", "no"), ("does not affect", "yes")])
def test_a_collider_makes_no_cause(verb, want):
    text = "For famous people, the correlation between talent and looks is -0.3. "
    asked = f"If we look at famous people, does it mean that talent {verb} looks?"
    assert answer(COLLIDER + text + asked).answer == want


def test_methods():
    text = (
        "Method 1: We look at how dose correlates with cure case by case according to age. "
        "Method 2: We look directly at how dose correlates with cure in general. "
        "To understand how dose affects cure, is it {} correct to use the Method 1 than Method 2?"
    )
    assert answer(CONFOUNDED + text.format("more")).answer == "yes"
    assert answer(CONFOUNDED + text.format("less")).answer == "no"


def test_deterministic_counterfactual():
    rules = (
        "We know that rain or sprinkler on causes wet grass. We observed the sprinkler is off. "
        "Would the grass is wet if no rain instead of rain?"
    )
    assert (
        answer(
            WORLD
            + "Rain has a direct effect on grass. Sprinkler has a direct effect on grass. "
            + rules
        ).answer
        == "no"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        None,
        RAISES,
        CONFOUNDED,
        CONFOUNDED + "How are you?",
        CONFOUNDED + RAISES,
        CONFOUNDED + "Nobody knows 20% of it. Will dose increase the chance of cure?",
        CONFOUNDED + "The overall probability of dose is 120%. Is it more likely than not overall?",
        COLLIDER + "Who is unobserved. Is looks more likely than none overall?",
    ],
    ids=range(9),
)
def test_what_can_not_be_read_is_refused(text):
    with pytest.raises((Unreadable, TypeCheckError)):
        answer(text)


def test_the_dead_band_is_checked():
    with pytest.raises((ValueError, TypeCheckError)):
        answer(CONFOUNDED + SIMPSON + RAISES, deadband=-1.0)
