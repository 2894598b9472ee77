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


CHAIN = WORLD + "Dose directly influences salt. Salt is a direct cause of cure. "
CRUDE = (
    "Among the untreated, the likelihood of cure is 40 percent. "
    "Among the treated, the likelihood of cure is 55 per cent. "
)


@pytest.mark.parametrize(
    ("question", "want"),
    [
        ("Does dose raise the probability of cure?", "yes"),
        ("Would dose lower the likelihood of cure?", "no"),
        ("Can dose reduce the odds of cure?", "no"),
        ("Will dose boost the chance of cure?", "yes"),
    ],
    ids=range(4),
)
def test_an_effect_in_other_words(question, want):
    told = answer(CHAIN + CRUDE + question)
    assert told.answer == want and told.value == pytest.approx(0.15)


@pytest.mark.parametrize(("more", "want"), [("more", "no"), ("less", "yes")])
def test_an_effect_on_the_treated_in_other_words(more, want):
    asked = f"For the treated, would it be {more} probable to observe cure if no dose?"
    assert answer(CHAIN + CRUDE + asked).answer == want


def test_a_marginal_and_a_correlation_in_other_words():
    share = "In general, the probability of dose is 40 %. "
    asked = "Is cure more probable than no cure in general?"
    told = answer(CHAIN + CRUDE + share + asked)
    assert (told.answer, told.query) == ("no", "marginal")
    joint = (
        "Overall, the probability of dose is 40%. The probability of no dose and cure is 24%. "
        "The probability of dose and cure is 22%. "
    )
    for word, want in (("higher", "yes"), ("lower", "no"), ("greater", "yes")):
        asked = f"Is the probability of cure {word} when we observe dose?"
        told = answer(CHAIN + joint + asked)
        assert told.answer == want and told.value == pytest.approx(0.55 - 0.4)


def test_mediated_effects_in_other_words():
    world = WORLD + "Dose directly affects salt and cure. Salt directly affects cure. "
    numbers = (
        "For no dose and no salt, the probability of cure is 10%. For no dose and salt, the "
        "probability of cure is 50%. For dose and no salt, the probability of cure is 30%. For "
        "dose and salt, the probability of cure is 60%. For no dose, the probability of salt is "
        "20%. For dose, the probability of salt is 70%. "
    )
    direct = answer(
        world + numbers + "If we ignore the mediated effect through salt, would dose positively "
        "influence cure?"
    )
    assert direct.value == pytest.approx(0.8 * 0.2 + 0.2 * 0.1) and direct.answer == "yes"
    indirect = answer(world + numbers + "Does dose negatively influence cure via salt?")
    assert indirect.value == pytest.approx(0.5 * 0.4) and indirect.answer == "no"


def test_explaining_away_in_other_words():
    numbers = (
        "The overall probability of talent is 50%. For people with no talent and unknown, the "
        "probability of looks is 40%. For people with no talent and famous, the probability of "
        "looks is 70%. For people with talent and unknown, the probability of looks is 20%. For "
        "people with talent and famous, the probability of looks is 30%. "
    )
    world = COLLIDER.replace(" has a direct effect on ", " directly causes ")
    for word, want in (("go down", "yes"), ("rise", "no")):
        asked = f"If we look at famous people, does the likelihood of looks {word} when talent?"
        told = answer(world + numbers + asked)
        assert (told.query, told.answer) == ("exp_away", want)


def test_what_is_hidden_in_other_words():
    front = FRONT.replace("Gene is unobserved", "Gene is not observed")
    numbers = (
        "For nonsmokers, the probability of cancer is 20%. "
        "For smokers, the probability of cancer is 30%. "
    )
    assert not answer(front + numbers + "Does smoking raise the chance of cancer?").identified


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
    with pytest.raises(Unreadable if isinstance(text, str) else ValueError):
        answer(text)


def test_the_dead_band_is_checked():
    with pytest.raises((ValueError, TypeCheckError)):
        answer(CONFOUNDED + SIMPSON + RAISES, deadband=-1.0)
