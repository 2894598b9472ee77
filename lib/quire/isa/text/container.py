"""WBIN, the container: a 32-byte header, the code, the kernels' names, the kernels' resources."""

import struct

from quire.isa.errors import EncodingError
from quire.isa.program import Kernel, Module
from quire.isa.text.encoding import decode, encode
from quire.signatures import checked

_HEADER = struct.Struct("<4sHH6I")
_ENTRY = struct.Struct("<8I")
_VERSION = 1


@checked
def write_wbin(module: Module) -> bytes:
    """Return a module as a WBIN file."""
    codes = [encode(kernel) for kernel in module.kernels]
    code = b"".join(codes)
    names = b"".join(kernel.name.encode() + b"\0" for kernel in module.kernels)
    name_at = _HEADER.size + len(code)
    entries, at, start = [struct.pack("<I", len(codes))], name_at, 0
    for kernel, own in zip(module.kernels, codes, strict=True):
        resources = (kernel.registers, kernel.local_bytes, *kernel.workgroup)
        entries.append(_ENTRY.pack(at, *resources, start, len(own)))
        at += len(kernel.name.encode()) + 1
        start += len(own)
    metadata = b"".join(entries)
    sections = (_HEADER.size, len(code), name_at, len(names), name_at + len(names), len(metadata))
    return _HEADER.pack(b"WAVE", _VERSION, 0, *sections) + code + names + metadata


@checked
def read_wbin(data: bytes) -> Module:
    """Return the module in a WBIN file; every byte must be accounted for.

    Raises
    ------
    EncodingError
        a bad magic number, version or flag; sections that do not follow each other
        to the end of the file; names that are not text; code that does not decode; resources
        that no core has (more than 256 registers or 1024 threads).
    """
    if len(data) < _HEADER.size:
        raise EncodingError(f"{len(data)} bytes are too few for the 32-byte header")
    magic, version, flags, *sections = _HEADER.unpack_from(data)
    if magic != b"WAVE":
        raise EncodingError(f"the file starts with {magic!r}, not with b'WAVE'")
    if version != _VERSION or flags:
        raise EncodingError(f"version {version}, flags {flags}: only version 1, flags 0 is known")
    code_at, code_size, name_at, name_size, meta_at, meta_size = sections
    if (code_at, name_at, meta_at, len(data)) != (
        *(_HEADER.size, code_at + code_size, name_at + name_size),
        meta_at + meta_size,
    ):
        raise EncodingError(
            f"sections {sections} do not fill a file of {len(data)} bytes: it is cut or padded"
        )
    if meta_size < 4:
        raise EncodingError("the metadata section has no count of kernels")
    (count,) = struct.unpack_from("<I", data, meta_at)
    if meta_size != 4 + _ENTRY.size * count:
        raise EncodingError(f"{count} kernels do not fill {meta_size} bytes of metadata")
    kernels, start, at = [], 0, name_at
    for index in range(count):
        fields = _ENTRY.unpack_from(data, meta_at + 4 + _ENTRY.size * index)
        name, registers, local_bytes, x, y, z, own_start, own_size = fields
        end = data.find(b"\0", name, meta_at)
        if name != at or end < 0 or own_start != start:
            raise EncodingError(f"kernel {index} does not follow the one before it")
        try:
            text = data[name:end].decode()
        except UnicodeDecodeError:
            raise EncodingError(f"the name of kernel {index} is not UTF-8") from None
        own = data[code_at + start : code_at + start + own_size]
        try:
            kernels.append(Kernel(text, decode(own), registers, local_bytes, (x, y, z)))
        except ValueError as wrong:
            raise EncodingError(f"kernel {text!r}: {wrong}") from None
        start, at = start + own_size, end + 1
    if start != code_size or at != meta_at:
        raise EncodingError("code or names are left over that belong to no kernel")
    return Module(tuple(kernels))
