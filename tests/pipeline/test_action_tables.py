"""PyTorch's action tables: reading, replaying, writing."""

import numpy as np
import pytest

from quire.pipeline import (
    Chain,
    ScheduleDeadlock,
    assemble,
    gpipe,
    interleaved,
    list_schedule,
    one_f_one_b,
    read_actions,
    replay,
    uniform_program,
    write_actions,
    zb_1p,
    zb_v,
)

TABLE = "0F0,0F1,,0B0,0B1\n,1F0,1B0,1F1,1B1\n"


def test_a_table_is_read_and_replayed():
    table = read_actions(TABLE)
    assert table.ranks == 2
    assert [len(row) for row in table.rows] == [4, 4]
    assert replay(table, backward=1.0).makespan == 6.0


@pytest.mark.parametrize(
    "schedule",
    [
        gpipe(uniform_program(3, 5, 1.0, 2.0)),
        one_f_one_b(uniform_program(4, 8, 1.0, 2.0)),
        interleaved(uniform_program(2, 4, 1.0, 2.0, chunks=3)),
        zb_1p(uniform_program(3, 6, 1.0, 1.0, 1.0)),
        zb_v(uniform_program(3, 6, 1.0, 1.0, 1.0, chunks=2, placement="v")),
    ],
    ids=["gpipe", "1f1b", "interleaved", "zb1p", "zbv"],
)
def test_what_is_written_replays_to_the_same_makespan(schedule):
    assert replay(read_actions(write_actions(schedule))).makespan == schedule.makespan


def test_a_pair_starts_when_both_inputs_are_there_and_ends_together():
    text = "0F0,0F1,0B0,0B1\n1F0,(1F1;1B0)OVERLAP_F_B,1B1\n"
    schedule = replay(read_actions(text))
    program = schedule.program
    pair = (program.rank == 1) & (
        ((program.kind == 0) & (program.microbatch == 1))
        | ((program.kind == 1) & (program.microbatch == 0))
    )
    assert schedule.start[pair].min() == 2.0
    assert schedule.end[pair].max() == 5.0
    after = (program.rank == 0) & (program.kind == 1) & (program.microbatch == 0)
    assert schedule.start[after][0] == 5.0


def test_where_the_weight_gradient_follows_b_is_half_a_backward():
    assert replay(read_actions("0F0,0B0,0W0\n")).makespan == 3.0
    assert replay(read_actions("0F0,0I0,0W0\n")).makespan == 3.0
    assert replay(read_actions("0F0,0B0\n")).makespan == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0F0,0X0\n", "row 1, column 2: '0X0'"),
        ("0F0,0B0\n1F0,1B\n", "row 2, column 2: '1B'"),
        ("0F0,(0F1;0B0)OVERLAP\n", "row 1, column 2"),
        ("0F0,0F0\n", "row 1, column 2: '0F0' repeats"),
        (",,\n", "holds no actions"),
        ("", "holds no actions"),
    ],
)
def test_malformed_tables_name_row_and_column(text, message):
    with pytest.raises(ValueError, match=message):
        read_actions(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0F0\n", "needs F and B"),
        ("0F0,0I0\n", "needs F and B"),
        ("0F0,0B0\n0F1,0B1\n", "on ranks 0 and 1"),
        ("0F0,0B0\n2F0,2B0\n", "number them from 0"),
    ],
)
def test_incomplete_tables_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        replay(read_actions(text))


def test_rows_that_wait_for_each_other_are_a_deadlock():
    with pytest.raises(ScheduleDeadlock):
        replay(read_actions("0B0,0F0\n1F0,1B0\n"))


def test_pieces_cannot_be_written():
    ones = np.ones(2)
    pieces = [Chain(0, 0, k, 0, (0, 1), ones, ones, 0 * ones, ones) for k in range(2)]
    schedule = list_schedule(assemble(pieces, 2))
    with pytest.raises(ValueError, match="cuts microbatches into pieces"):
        write_actions(schedule)
