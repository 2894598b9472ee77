import pytest

from quire.sketching import read_collectives

HEAD = "HloModule jit_f, is_scheduled=true, num_partitions=8\n"


def one(line: str, head: str = HEAD):
    found = read_collectives(head + "  " + line)
    assert len(found) == 1
    return found[0]


def test_reduce_scatter_costs_its_operand():
    got = one(
        "%rs = f64[8,64]{1,0} reduce-scatter(%x), replica_groups={{0,1},{2,3},{4,5},{6,7}}, "
        "dimensions={0}"
    )
    assert (got.kind, got.group, got.entries, got.itemsize) == ("reduce-scatter", 2, 512, 8)
    assert got.words(8) == (1 - 1 / 2) * 1024


def test_iota_groups_are_read():
    got = one("%ag = f32[64]{0} all-gather(%x), replica_groups=[2,4]<=[8], dimensions={0}")
    assert (got.group, got.bytes) == (4, (1 - 1 / 4) * 64 * 4)
    turned = one("%ag = f32[64]{0} all-gather(%x), replica_groups=[4,2]<=[2,4]T(1,0)")
    assert turned.group == 2


def test_empty_groups_mean_every_partition():
    got = one("%ar = f64[10]{0} all-reduce(%x), replica_groups={}, to_apply=%add")
    assert (got.group, got.bytes) == (8, 2 * (1 - 1 / 8) * 80)


def test_an_asynchronous_pair_is_counted_once_at_its_result():
    text = (
        HEAD
        + "  %s = (f64[8]{0}, f64[64]{0}) all-gather-start(%x), replica_groups=[1,8]<=[8]\n"
        + "  %d = f64[64]{0} all-gather-done(%s)\n"
    )
    (got,) = read_collectives(text)
    assert got.bytes == (1 - 1 / 8) * 64 * 8


def test_an_asynchronous_pair_of_several_arrays():
    text = (
        HEAD
        + "  %s = ((f64[8]{0}, f32[4]{0}), (f64[64]{0}, f32[32]{0}), u32[]) all-gather-start(%x, "
        "%y), replica_groups=[1,8]<=[8]\n"
    )
    (got,) = read_collectives(text)
    assert got.bytes == (1 - 1 / 8) * (64 * 8 + 32 * 4)


def test_an_asynchronous_all_reduce_has_a_plain_result():
    (got,) = read_collectives(
        HEAD + "  %s = f64[10]{0} all-reduce-start(%x), replica_groups=[1,8]<=[8], to_apply=%a\n"
    )
    assert got.bytes == 2 * (1 - 1 / 8) * 80


def test_a_tuple_all_to_all_is_the_sum_of_its_parts():
    got = one(
        "%a = (f64[2,8]{1,0}, f64[2,8]{1,0}, f64[2,8]{1,0}, f64[2,8]{1,0}) "
        "all-to-all(%w, %x, %y, %z), replica_groups={{0,1,2,3},{4,5,6,7}}"
    )
    assert (got.entries, got.words(8)) == (64, (1 - 1 / 4) * 64)


def test_combined_collectives_of_mixed_types():
    got = one("%a = (f32[16]{0}, bf16[8]{0}, pred[4]{0}) all-gather(%x, %y, %z), "
              "replica_groups=[1,8]<=[8]")  # fmt: skip
    assert (got.itemsize, got.bytes) == (4, (1 - 1 / 8) * (64 + 16 + 4))


def test_groups_of_one_cost_nothing():
    text = HEAD + "  %a = f64[8]{0} all-gather(%x), replica_groups=[8,1]<=[8]\n"
    assert read_collectives(text) == ()


def test_a_permutation_sends_its_operand():
    got = one("%p = f32[10]{0} collective-permute(%x), source_target_pairs={{0,1},{1,0}}")
    assert (got.kind, got.bytes) == ("collective-permute", 40)


def test_operands_named_after_collectives_are_not_counted():
    text = HEAD + "  %b = f64[8]{0} add(f64[8]{0} %all-gather.1, f64[8]{0} %all-reduce.2)\n"
    assert read_collectives(text) == ()


def test_names_of_the_program_are_not_collectives():
    text = (
        HEAD
        + '  %b = f64[8]{0} add(%x, %y), metadata={op_name="jit(f)/a = f64[8] all-gather(b)"}\n'
    )
    assert read_collectives(text) == ()


def test_text_that_is_not_hlo_is_refused():
    with pytest.raises(ValueError, match="without HloModule"):
        read_collectives("func.func @main()")
