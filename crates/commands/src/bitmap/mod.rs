//! Strings as rows of bits, the first byte's highest bit being number 0.

mod bit;
mod combine;
mod count;
mod field;
mod field_type;
mod offset;
mod position;
mod span;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[
    &bit::GETBIT,
    &bit::SETBIT,
    &combine::BITOP,
    &count::BITCOUNT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &position::BITPOS,
];
