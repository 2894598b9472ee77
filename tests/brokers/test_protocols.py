import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.brokers import ProtocolError, Stamp, read_stamp, stamped
from quire.brokers.protocols._dialect import (
    ACKNOWLEDGED,
    MESSAGE,
    READY,
    RECEIVED,
    REPLY,
    SUBSCRIBED,
)
from quire.brokers.protocols.amqp import Amqp
from quire.brokers.protocols.frames import Frames, frame
from quire.brokers.protocols.mqtt import (
    Mqtt,
    read_remaining_length,
    release,
    remaining_length,
)
from quire.brokers.protocols.nats import Nats
from quire.brokers.protocols.resp import Resp, command


def amqp_frame(kind, payload):
    return struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce"


DELIVER = amqp_frame(1, struct.pack(">HH", 60, 60) + b"\x01c" + bytes(9) + b"\x00\x01q")
HEADER = amqp_frame(2, struct.pack(">HHQH", 60, 0, 2, 0))


def amqp_delivery(payload):
    header = amqp_frame(2, struct.pack(">HHQH", 60, 0, len(payload), 0))
    half = len(payload) // 2
    parts = [payload[:half], payload[half:]] if half else ([payload] if payload else [])
    return DELIVER + header + b"".join(amqp_frame(3, part) for part in parts)


def mqtt_stream(payloads):
    client = Mqtt()
    out, told = b"\x20\x02\x00\x00\x90\x03\x00\x01\x00", [(READY, b""), (SUBSCRIBED, b"")]
    for k, payload in enumerate(payloads):
        qos = k % 3
        out += client.publish("t/1", payload, qos, k + 1)
        told.append((MESSAGE, payload))
        if qos:
            answer = b"\x40\x02" if qos == 1 else b"\x50\x02"
            told.append((REPLY, answer + struct.pack(">H", k + 1)))
    return out + b"\xd0\x00\x40\x02\x00\x07", [*told, (ACKNOWLEDGED, 7)]


def resp_stream(payloads):
    out = b"+PONG\r\n" + command(b"subscribe", b"t").replace(b"$1\r\nt\r\n", b"$1\r\nt\r\n:1\r\n")
    out = out.replace(b"*2", b"*3")
    told = [(READY, b""), (SUBSCRIBED, b"")]
    for payload in payloads:
        out += command(b"message", b"t", payload)
        told.append((MESSAGE, payload))
    return out + b":3\r\n", [*told, (ACKNOWLEDGED, 3)]


def nats_stream(payloads):
    out = b'INFO {"a":1}\r\nPONG\r\nPONG\r\n'
    told = [(READY, b""), (SUBSCRIBED, b"")]
    for payload in payloads:
        out += b"MSG t 1 %d\r\n%b\r\n" % (len(payload), payload)
        told.append((MESSAGE, payload))
    return out + b"PING\r\n+OK\r\n", [*told, (REPLY, b"PONG\r\n")]


def frames_stream(payloads):
    out = frame(b"K", 0) + frame(b"K", 5)
    told = [(READY, b""), (SUBSCRIBED, b"")]
    return (
        out + b"".join(frame(b"M", 5, p) for p in payloads),
        told + [(MESSAGE, p) for p in payloads],
    )


def amqp_stream(payloads):
    out = b"".join(map(amqp_delivery, payloads))
    return out + amqp_frame(8, b""), [
        *((MESSAGE, p) for p in payloads),
        (REPLY, b"\x08\x00\x00\x00\x00\x00\x00\xce"),
    ]


STREAMS = {
    "mqtt": (Mqtt, mqtt_stream),
    "resp": (Resp, resp_stream),
    "nats": (Nats, nats_stream),
    "frames": (Frames, frames_stream),
    "amqp": (Amqp, amqp_stream),
}


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=60)
@given(st.lists(st.binary(max_size=300), max_size=6), st.data())
def test_a_stream_says_the_same_however_it_is_cut(name, payloads, data):
    dialect, make = STREAMS[name]
    stream, told = make(payloads)
    assert dialect().parser().feed(stream) == told
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    parser, seen = dialect().parser(), []
    for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        seen += parser.feed(stream[a:b])
    assert seen == told


@pytest.mark.parametrize("name", STREAMS)
def test_byte_by_byte(name):
    dialect, make = STREAMS[name]
    stream, told = make([b"", b"a" * 200, b"\r\n*:$", bytes(24)])
    parser, seen = dialect().parser(), []
    for k in range(len(stream)):
        seen += parser.feed(stream[k : k + 1])
    assert seen == told


@given(st.integers(0, 268_435_455))
def test_remaining_length_is_read_back(length):
    raw = remaining_length(length)
    assert read_remaining_length(raw) == (length, len(raw))
    assert all(read_remaining_length(raw[:k]) is None for k in range(len(raw)))


def test_remaining_length_at_its_edges():
    assert remaining_length(127) == b"\x7f"
    assert remaining_length(128) == b"\x80\x01"
    assert remaining_length(268_435_455) == b"\xff\xff\xff\x7f"
    for wrong in (-1, 268_435_456, True):
        with pytest.raises(ValueError, match="length"):
            remaining_length(wrong)
    with pytest.raises(ValueError, match="4 bytes"):
        read_remaining_length(b"\xff\xff\xff\xff\x01")


MALFORMED = {
    "mqtt: unknown packet": (Mqtt, b"\x20\x02\x00\x00" + b"\xf0\x00", 4),
    "mqtt: refused session": (Mqtt, b"\x20\x02\x00\x05", 3),
    "mqtt: refused subscription": (Mqtt, b"\x90\x03\x00\x01\x80", 4),
    "mqtt: topic beyond packet": (Mqtt, b"\x30\x04\x00\xffab", 2),
    "mqtt: quality 3": (Mqtt, b"\x36\x04\x00\x01ab", 0),
    "mqtt: length without end": (Mqtt, b"\x30\xff\xff\xff\xff", 1),
    "mqtt: identifier 0": (Mqtt, b"\x32\x05\x00\x01t\x00\x00", 5),
    "mqtt: confirmation of 0": (Mqtt, b"\x40\x02\x00\x00", 2),
    "mqtt: no topic": (Mqtt, b"\x30\x02\x00\x00", 0),
    "mqtt: repeated at quality 0": (Mqtt, b"\x38\x04\x00\x01ta", 0),
    "mqtt: release without its flags": (Mqtt, b"\x60\x02\x00\x01", 0),
    "mqtt: session with flags": (Mqtt, b"\x2f\x02\x00\x00", 0),
    "resp: nested without end": (Resp, b"*1\r\n" * 5000, 32),
    "resp: error": (Resp, b":1\r\n-ERR no\r\n", 4),
    "resp: no reply": (Resp, b"HTTP/1.1 400\r\n", 0),
    "resp: no number": (Resp, b"$abc\r\n", 1),
    "resp: negative length": (Resp, b"*-5\r\n", 1),
    "resp: bulk without end": (Resp, b"$2\r\nabXX", 6),
    "nats: error": (Nats, b"-ERR 'x'\r\n", 0),
    "nats: no line": (Nats, b"+OK\r\nHELLO\r\n", 5),
    "nats: no size": (Nats, b"MSG a 1 x\r\n", 0),
    "nats: payload without end": (Nats, b"MSG a 1 2\r\nabXX", 13),
    "nats: a gigabyte": (Nats, b"MSG a 1 999999999\r\nab", 0),
    "frames: what a relay does not send": (Frames, frame(b"M", 1, b"ab") + frame(b"S", 1), 11),
    "frames: letter": (Frames, b"X" + bytes(8), 0),
    "amqp: frame end": (Amqp, struct.pack(">BHI", 8, 0, 0) + b"\x00", 7),
    "amqp: type": (Amqp, struct.pack(">BHI", 9, 0, 0) + b"\xce", 0),
    "amqp: body first": (Amqp, amqp_frame(3, b"x"), 0),
    "amqp: body before its header": (Amqp, DELIVER + amqp_frame(3, b""), len(DELIVER)),
    "amqp: header twice": (Amqp, DELIVER + 2 * HEADER, len(DELIVER + HEADER)),
    "amqp: delivery inside another": (Amqp, DELIVER + HEADER + DELIVER, len(DELIVER + HEADER)),
    "amqp: body beyond all bounds": (
        Amqp,
        DELIVER + amqp_frame(2, struct.pack(">HHQH", 60, 0, 2**63, 0)),
        len(DELIVER),
    ),
    "amqp: other version": (Amqp, b"AMQP\x00\x00\x00\x09", 0),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_bytes_are_told_with_their_offset(case):
    dialect, stream, offset = MALFORMED[case]
    with pytest.raises(ProtocolError) as caught:
        dialect().parser().feed(stream)
    assert caught.value.offset == offset
    assert str(offset) in str(caught.value)


def test_a_message_of_quality_2_is_told_once_until_it_is_released():
    parser, sent = Mqtt().parser(), Mqtt().publish("t", b"x", 2, 9)
    assert [kind for kind, _ in parser.feed(sent)] == [MESSAGE, REPLY]
    assert [kind for kind, _ in parser.feed(sent)] == [REPLY]
    assert parser.feed(b"\x62\x02\x00\x09") == [(REPLY, b"\x70\x02\x00\x09")]
    assert [kind for kind, _ in parser.feed(sent)] == [MESSAGE, REPLY]


def test_quality_2_goes_on_where_a_connection_broke():
    client = Mqtt()
    first, second = client.parser(), client.parser()
    sent = client.publish("t", b"x", 2, 9)
    assert [kind for kind, _ in first.feed(sent)] == [MESSAGE, REPLY]
    second.unreleased = first.unreleased  # the session's, on its next connection
    assert [kind for kind, _ in second.feed(sent)] == [REPLY]
    received = [(RECEIVED, 7), (REPLY, release(7))]
    assert second.feed(b"\x50\x02\x00\x07") == received
    assert release(7) == b"\x62\x02\x00\x07"


def test_what_cannot_be_said_is_refused():
    with pytest.raises(ValueError, match="NATS allows"):
        Nats().subscribe("a b")
    with pytest.raises(ValueError, match="qos"):
        Mqtt().publish("t", b"", 3, 1)
    with pytest.raises(ValueError, match="number"):
        Mqtt().publish("t", b"", 1, 0)
    with pytest.raises(ValueError, match="65,535"):
        Mqtt().subscribe("t" * 70_000)


def test_topics_that_a_protocol_cannot_say_are_named():
    with pytest.raises(ValueError, match="AMQP allows 255"):
        Amqp().subscribe("t" * 256)
    for topic in ("q/abc", "q/", f"q/{2**32}"):
        with pytest.raises(ValueError, match="below 2\\^32"):
            Frames().publish(topic, b"x")
    assert Frames().parser().feed(Frames().publish(f"q/{2**32 - 1}", b"x").replace(b"P", b"M"))


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=80)
@given(st.data())
def test_whatever_comes_is_read_or_refused_with_an_offset_in_the_stream(name, data):
    dialect, make = STREAMS[name]
    stream = bytearray(make([b"ab", b"", b"cde"])[0])
    for _ in range(data.draw(st.integers(1, 4))):
        stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    try:
        dialect().parser().feed(bytes(stream))
    except ProtocolError as error:
        assert 0 <= error.offset <= len(stream)


@given(
    st.integers(0, 2**64 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(24, 100),
)
def test_stamps_are_read_back(number, due, sent, size):
    payload = stamped(Stamp(number, due, sent), size)
    assert len(payload) == size
    assert read_stamp(payload) == (number, due, sent)


def test_a_payload_below_its_stamp_is_refused():
    with pytest.raises(ValueError, match="size = 23"):
        stamped(Stamp(0, 0, 0), 23)
    with pytest.raises(ValueError, match="payload = 3 bytes"):
        read_stamp(b"abc")
