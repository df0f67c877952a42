"""The features follow from the table of metrics: a new metric of a number is one more, without another line."""

from common.algebra.features import FEATURES
from common.algebra.metrics import METRIC, METRICS
from tests.support.features import features_of

NO_NUMBER = {"date", "text"}


def test_every_metric_of_a_number_or_a_flag_is_one_feature() -> None:
    of_metrics = [each.source for each in FEATURES if each.of == "metrics"]

    assert of_metrics == [metric.name for metric in METRICS if metric.unit not in NO_NUMBER]
    assert len({each.name for each in FEATURES}) == len(FEATURES)


def test_an_amount_is_an_integer_of_cents_and_its_name_says_so() -> None:
    for each in FEATURES:
        is_money = each.of == "metrics" and METRIC[each.source].unit == "money"
        assert (each.name == f"{each.source}_cents", each.places == 2) == (is_money, is_money), each.name
        assert (each.kind == "integer") or not is_money


def test_the_tests_spell_the_same_features_out_by_hand() -> None:
    """Otherwise an oracle of features would compare nothing."""
    spelled = features_of({metric.name: None for metric in METRICS}, {})

    assert list(spelled) == [each.name for each in FEATURES]
