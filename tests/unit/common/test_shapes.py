"""The shape of a source's data, and how two shapes differ."""

import pytest

from common.log.shapes import Change, FieldShape, Observed, Shape, Source, What, changes, declared_after

SHOP = Source("order", "shop")


def shape(records: int = 100, **fields: dict[str, int]) -> Shape:
    """A shape by field, with how often each type was seen."""
    return Shape(records, {name: FieldShape(records, sum(types.values()), types) for name, types in fields.items()})


def observed(records: int = 100, **fields: dict[str, int]) -> Observed:
    examples = {f"{name}:{kind}": f"1:{number}" for number, name in enumerate(fields) for kind in fields[name]}
    return Observed(SHOP, shape(records, **fields), "0:7", examples)


def test_equal_shapes_do_not_differ_and_null_is_no_type() -> None:
    declared = shape(a={"string": 100}, b={"string": 40, "null": 60})

    assert changes(declared, observed(a={"string": 3, "null": 97}, b={"null": 100})) == []


def test_a_new_field_is_named_with_its_types_and_an_example() -> None:
    [change] = changes(shape(a={"string": 100}), observed(a={"string": 100}, gift={"string": 2, "number": 1}))

    assert (change.what, change.name, change.records) == (What.NEW, "new:order.gift@shop", 3)
    assert change.text == "order.gift from shop is new (number, string), in 3 records, first 1:1"


def test_a_removed_field_is_named_with_a_record_that_lacks_it() -> None:
    [change] = changes(shape(a={"string": 100}, b={"string": 100}), observed(a={"string": 100}))

    assert change.name == "removed:order.b@shop"
    assert change.text == "order.b from shop (string) is gone: none of 100 records has it, first 0:7"


def test_a_changed_type_is_named_with_the_new_type_and_its_first_record() -> None:
    [change] = changes(shape(a={"string": 100}), observed(a={"string": 90, "number": 9, "null": 1}))

    assert (change.name, change.records) == ("changed:order.a:number@shop", 9)
    assert change.text == "order.a from shop was string, and is number in 9 records, first 1:0"


@pytest.mark.parametrize(
    ("present", "records", "removed"), [(100, 1, True), (50, 9, False), (50, 10, True), (1, 100, False)]
)
def test_the_absence_of_a_rare_field_may_be_chance(present: int, records: int, removed: bool) -> None:
    """Of a field that half the records have, 9 records lack it once in 512 times, 10 once in 1,024."""
    found = changes(shape(a={"string": present}), observed(records))

    assert [change.what for change in found] == [What.REMOVED] * removed


def test_no_record_removes_no_field() -> None:
    assert changes(shape(a={"string": 100}), observed(0)) == []


def test_a_field_that_was_always_null_takes_any_type() -> None:
    declared, seen = shape(a={"null": 100}), observed(50, a={"number": 50})

    assert changes(declared, seen) == []
    assert declared_after(declared, seen.shape, []).fields["a"] == FieldShape(50, 50, {"number": 50})


def test_accepted_changes_become_the_declared_shape_and_others_do_not() -> None:
    declared = shape(a={"string": 100}, b={"string": 100}, c={"string": 100})
    seen = observed(10, b={"number": 10}, c={"boolean": 10}, d={"string": 10})
    by_name = {change.name: change for change in changes(declared, seen)}
    accepted = [by_name[name] for name in ("removed:order.a@shop", "changed:order.b:number@shop", "new:order.d@shop")]

    after = declared_after(declared, seen.shape, accepted)

    assert changes(after, seen) == [by_name["changed:order.c:boolean@shop"]]
    assert after.fields["b"].named_types == ("number", "string")
    assert next(change.name for change in changes(after, observed(10, a={"string": 10}))) == "new:order.a@shop"


def test_the_share_of_nulls_counts_absent_and_null_alike() -> None:
    found = shape(200, a={"string": 50, "null": 50})

    assert found.null_share("a") == 0.75
    assert found.null_share("b") == 1.0


def test_a_change_is_approved_by_a_name_that_says_all_of_it() -> None:
    """What was approved for one type, field or source is approved for no other."""
    names = {
        Change(what, source, field, ("string",), now, 1, "0:1").name
        for what in What
        for source in (SHOP, Source("refund", "shop"), Source("order", "crm"))
        for field in ("a", "b")
        for now in (("number",), ("number", "object"))
    }
    assert len(names) == 3 * 2 * (1 + 1 + 2)
