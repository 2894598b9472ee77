"""Programs as text and as bytes.

`assembler` (text to instructions), `encoding` (instructions to words and back), `disassembler` (the
other way), `container` (WBIN files), `reference_table` (the table of instructions as a page).
"""
