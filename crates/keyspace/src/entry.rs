//! One key and its value in one allocation.
//!
//! ```text
//! | value_len u32 | key_len u32 | kind, flags u8 + access u24 | [expiry i64] | key … | value … |
//! ```
//!
//! The value is its bytes, an integer of 8 bytes, or a pointer of 8 bytes to what is too large or too lively to be packed.
//! A key of 16 bytes with a value of 64 makes 92 bytes, which the allocator rounds to 96.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::value::{Object, StringRef, Value, ValueRef};

/// Longer strings live outside the entry, so that they grow without being copied and move without being touched.
pub(crate) const INLINE_MAX: usize = 1024;

/// The bits that the access clock of an entry has.
pub(crate) const ACCESS_BITS: u32 = 24;

const ALIGN: usize = 8;

#[repr(C)]
struct Header {
    value_len: u32,
    key_len: u32,
    /// Kind and flags in the low 8 bits, access above.
    meta: u32,
}

const KIND: u32 = 0x0f;
const INLINE: u32 = 0;
const INT: u32 = 1;
const BIG: u32 = 2;
const OBJECT: u32 = 3;
const EXPIRING: u32 = 0x10;
/// The string was made by changing another one, which OBJECT ENCODING tells from one that was set.
const EDITED: u32 = 0x20;
const META_LOW: u32 = 0xff;

const HEADER_SIZE: usize = size_of::<Header>();
const EXPIRY_SIZE: usize = size_of::<i64>();
const WORD: usize = 8;
const _: () = assert!(HEADER_SIZE == 12 && size_of::<*mut Object>() == WORD);

/// What an entry is made from.
pub(crate) enum Content<'v> {
    Bytes(&'v [u8]),
    Edited(&'v [u8]),
    Int(i64),
    Big(Vec<u8>),
    Object(Object),
}

impl<'v> Content<'v> {
    /// A string that was changed: a long one keeps the vector it has.
    pub(crate) fn edited(bytes: &'v mut Vec<u8>) -> Content<'v> {
        if bytes.len() > INLINE_MAX {
            return Content::Big(std::mem::take(bytes));
        }
        Content::Edited(bytes)
    }

    fn meta(&self) -> u32 {
        match self {
            Content::Bytes(_) => INLINE,
            Content::Edited(_) => INLINE | EDITED,
            Content::Int(_) => INT,
            Content::Big(_) => BIG,
            Content::Object(_) => OBJECT,
        }
    }

    fn len(&self) -> usize {
        match self {
            Content::Bytes(bytes) | Content::Edited(bytes) => bytes.len(),
            _ => WORD,
        }
    }
}

/// Owns the allocation, and what it points to.
///
/// Invariant: the pointer is to a live allocation of `layout(key_len, value_len, EXPIRING)`, all of whose parts are initialised;
/// a BIG or OBJECT value is a pointer from `Box::into_raw` that nothing else owns.
pub(crate) struct Entry(NonNull<u8>);

// SAFETY: an entry owns all it points to, and what that is (bytes, `Vec<u8>`, `Object`) may change threads.
unsafe impl Send for Entry {}

const _: () = {
    const fn may_change_threads<T: Send>() {}
    may_change_threads::<Object>();
};

impl Entry {
    pub(crate) fn new(key: &[u8], content: Content<'_>, expiry: Option<i64>, access: u32) -> Entry {
        let content = match content {
            Content::Bytes(bytes) | Content::Edited(bytes) if bytes.len() > INLINE_MAX => {
                Content::Big(bytes.to_vec())
            }
            content => content,
        };
        let entry = Entry::allocate(key, content.len(), content.meta(), expiry, access);
        // SAFETY: `allocate` gave room for `content.len()` bytes at `value_at`, and nobody else knows the allocation.
        unsafe {
            let value = value_at(entry);
            match content {
                Content::Bytes(bytes) | Content::Edited(bytes) => {
                    value.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
                }
                Content::Int(int) => value.cast::<i64>().write_unaligned(int),
                Content::Big(bytes) => {
                    value.cast::<*mut Vec<u8>>().write_unaligned(Box::into_raw(Box::new(bytes)))
                }
                Content::Object(object) => {
                    value.cast::<*mut Object>().write_unaligned(Box::into_raw(Box::new(object)))
                }
            }
        }
        Entry(entry)
    }

    /// The same value under another key or expiry; `None` keeps the key.
    pub(crate) fn reshaped(self, key: Option<&[u8]>, expiry: Option<i64>) -> Entry {
        let old = ManuallyDrop::new(self);
        let header = header(old.0);
        let entry = Entry::allocate(
            key.unwrap_or_else(|| old.as_ref().key()),
            header.value_len as usize,
            header.meta & META_LOW & !EXPIRING,
            expiry,
            header.meta >> 8,
        );
        // SAFETY: both allocations have `value_len` bytes at their `value_at` and are distinct. The value (and what it points
        // to) moves: the old entry is released without being dropped.
        unsafe {
            value_at(entry).copy_from_nonoverlapping(value_at(old.0), header.value_len as usize);
            release(old.0);
        }
        Entry(entry)
    }

    /// Header, expiry and key are written; the value is the caller's to write.
    fn allocate(
        key: &[u8],
        value_len: usize,
        meta: u32,
        expiry: Option<i64>,
        access: u32,
    ) -> NonNull<u8> {
        let key_len = u32::try_from(key.len()).expect("a request is shorter than 4 GiB");
        let value_len = u32::try_from(value_len).expect("a packed value is short");
        let meta = meta | if expiry.is_some() { EXPIRING } else { 0 } | access << 8;
        let header = Header { value_len, key_len, meta };
        let layout = layout(&header);
        // SAFETY: the layout is never empty: a header is in it.
        let pointer = unsafe { alloc(layout) };
        let Some(pointer) = NonNull::new(pointer) else { handle_alloc_error(layout) };
        // SAFETY: `layout` has room for all three, in this order, and ALIGN suffices for the header.
        unsafe {
            pointer.cast::<Header>().write(header);
            if let Some(ms) = expiry {
                pointer.add(HEADER_SIZE).cast::<i64>().write_unaligned(ms);
            }
            key_at(pointer).copy_from_nonoverlapping(NonNull::from(key).cast(), key.len());
        }
        pointer
    }

    pub(crate) fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { pointer: self.0, life: PhantomData }
    }

    pub(crate) fn into_value(self) -> Value {
        let entry = ManuallyDrop::new(self);
        let value = match entry.as_ref().value() {
            // SAFETY: the entry is not dropped, so the box is taken out once.
            _ if entry.as_ref().kind() == BIG => unsafe { Value::String(take_big(entry.0)) },
            ValueRef::String(string) => Value::String(string.to_vec()),
            // SAFETY: as above.
            ValueRef::Object(_) => unsafe { Value::Object(take_object(entry.0)) },
        };
        // SAFETY: what the entry pointed to has moved out; nothing refers to the allocation any more.
        unsafe { release(entry.0) };
        value
    }

    /// For who borrows the entry mutably and wants an [`EntryMut`].
    pub(crate) fn as_ptr(&mut self) -> NonNull<u8> {
        self.0
    }

    pub(crate) fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    /// `pointer` came from [`Entry::into_raw`], and its ownership comes back here once.
    pub(crate) unsafe fn from_raw(pointer: NonNull<u8>) -> Entry {
        Entry(pointer)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // SAFETY: by the invariant; this is the end of the owner.
        unsafe {
            match self.as_ref().kind() {
                BIG => drop(take_big(self.0)),
                OBJECT => drop(take_object(self.0)),
                _ => {}
            }
            release(self.0);
        }
    }
}

/// A look at an entry.
#[derive(Clone, Copy)]
pub(crate) struct EntryRef<'a> {
    pointer: NonNull<u8>,
    life: PhantomData<&'a Entry>,
}

impl<'a> EntryRef<'a> {
    /// # Safety
    /// `pointer` came from [`Entry::into_raw`], and the entry lives unchanged for `'a`.
    #[inline]
    pub(crate) unsafe fn from_raw(pointer: NonNull<u8>) -> EntryRef<'a> {
        EntryRef { pointer, life: PhantomData }
    }

    #[inline]
    pub(crate) fn key(self) -> &'a [u8] {
        let len = header(self.pointer).key_len as usize;
        // SAFETY: by the invariant `key_len` initialised bytes are there; they stay for `'a`.
        unsafe { std::slice::from_raw_parts(key_at(self.pointer).as_ptr(), len) }
    }

    #[inline]
    pub(crate) fn value(self) -> ValueRef<'a> {
        let len = header(self.pointer).value_len as usize;
        // SAFETY: the kind says what the value is, and it was written as that; it stays for `'a`.
        unsafe {
            let value = value_at(self.pointer);
            match self.kind() {
                INLINE => ValueRef::String(StringRef::Bytes(std::slice::from_raw_parts(
                    value.as_ptr(),
                    len,
                ))),
                INT => ValueRef::String(StringRef::Int(value.cast::<i64>().read_unaligned())),
                BIG => ValueRef::String(StringRef::Bytes(
                    (*value.cast::<*mut Vec<u8>>().read_unaligned()).as_slice(),
                )),
                _ => ValueRef::Object(&*value.cast::<*mut Object>().read_unaligned()),
            }
        }
    }

    #[inline]
    pub(crate) fn expiry(self) -> Option<i64> {
        // SAFETY: the flag says that the expiry is there.
        self.is_expiring()
            .then(|| unsafe { self.pointer.add(HEADER_SIZE).cast::<i64>().read_unaligned() })
    }

    #[inline]
    pub(crate) fn is_expiring(self) -> bool {
        header(self.pointer).meta & EXPIRING != 0
    }

    #[inline]
    pub(crate) fn access(self) -> u32 {
        header(self.pointer).meta >> 8
    }

    pub(crate) fn is_edited(self) -> bool {
        header(self.pointer).meta & EDITED != 0
    }

    /// The bytes that the entry takes, with a large string or what an object has inside.
    #[inline]
    pub(crate) fn memory(self) -> usize {
        let outside = match self.kind() {
            BIG => match self.value() {
                // SAFETY: the kind says that this is a live vector.
                ValueRef::String(_) => unsafe {
                    let vec = value_at(self.pointer).cast::<*mut Vec<u8>>().read_unaligned();
                    size_of::<Vec<u8>>() + (*vec).capacity()
                },
                ValueRef::Object(_) => 0,
            },
            OBJECT => match self.value() {
                ValueRef::Object(object) => size_of::<Object>() + object.memory(),
                ValueRef::String(_) => 0,
            },
            _ => 0,
        };
        layout(&header(self.pointer)).size() + outside
    }

    #[inline]
    fn kind(self) -> u32 {
        header(self.pointer).meta & KIND
    }
}

/// The right to change an entry where it is: whatever keeps its allocation.
pub(crate) struct EntryMut<'a> {
    pointer: NonNull<u8>,
    life: PhantomData<&'a mut Entry>,
}

impl<'a> EntryMut<'a> {
    /// # Safety
    /// `pointer` came from [`Entry::into_raw`], and for `'a` nobody else looks at the entry.
    #[inline]
    pub(crate) unsafe fn from_raw(pointer: NonNull<u8>) -> EntryMut<'a> {
        EntryMut { pointer, life: PhantomData }
    }

    #[inline]
    pub(crate) fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { pointer: self.pointer, life: PhantomData }
    }

    #[inline]
    pub(crate) fn set_access(&mut self, access: u32) {
        let meta = header(self.pointer).meta & META_LOW | access << 8;
        self.set_header(Header { meta, ..header(self.pointer) });
    }

    /// Only an entry that has a place for an expiry can take one here.
    pub(crate) fn set_expiry(&mut self, ms: i64) -> bool {
        if !self.as_ref().is_expiring() {
            return false;
        }
        // SAFETY: the flag says that the place is there.
        unsafe { self.pointer.add(HEADER_SIZE).cast::<i64>().write_unaligned(ms) };
        true
    }

    /// Writes a packed value over a packed value, if the allocation keeps its size; `false` leaves everything as it was.
    #[inline]
    pub(crate) fn overwrite(&mut self, content: &Content<'_>) -> bool {
        let old = header(self.pointer);
        let (kind, len) = (content.meta(), content.len());
        if old.meta & KIND > INT || kind & KIND > INT || len > INLINE_MAX {
            return false;
        }
        let meta = old.meta & !(KIND | EDITED) | kind;
        let new = Header { value_len: len as u32, key_len: old.key_len, meta };
        if layout(&new) != layout(&old) {
            return false;
        }
        self.set_header(new);
        // SAFETY: the layout, and so the allocation, has room for `len` bytes of value; neither the old nor the new value
        // points to anything.
        unsafe {
            let value = value_at(self.pointer);
            match content {
                Content::Bytes(bytes) | Content::Edited(bytes) => {
                    value.copy_from_nonoverlapping(NonNull::from(*bytes).cast(), len);
                }
                Content::Int(int) => value.cast::<i64>().write_unaligned(*int),
                Content::Big(_) | Content::Object(_) => unreachable!("these are above INT"),
            }
        }
        true
    }

    pub(crate) fn object(self) -> Option<&'a mut Object> {
        // SAFETY: the kind says that this is a live object, and `self` is the only way to it for `'a`.
        (self.as_ref().kind() == OBJECT)
            .then(|| unsafe { &mut *value_at(self.pointer).cast::<*mut Object>().read_unaligned() })
    }

    /// The string, if it lives outside.
    pub(crate) fn big(self) -> Option<&'a mut Vec<u8>> {
        // SAFETY: the kind says that this is a live vector, and `self` is the only way to it for `'a`.
        (self.as_ref().kind() == BIG).then(|| unsafe {
            &mut *value_at(self.pointer).cast::<*mut Vec<u8>>().read_unaligned()
        })
    }

    #[inline]
    fn set_header(&mut self, header: Header) {
        // SAFETY: the pointer is to a live header that `self` may change; callers keep the layout.
        unsafe { self.pointer.cast::<Header>().write(header) };
    }
}

#[inline]
fn header(entry: NonNull<u8>) -> Header {
    // SAFETY: every pointer in this file is to a live entry, which begins with an initialised header.
    unsafe { entry.cast::<Header>().read() }
}

#[inline]
fn layout(header: &Header) -> Layout {
    let expiry = if header.meta & EXPIRING != 0 { EXPIRY_SIZE } else { 0 };
    let size = HEADER_SIZE + expiry + header.key_len as usize + header.value_len as usize;
    Layout::from_size_align(size.next_multiple_of(ALIGN), ALIGN)
        .expect("key and packed value are shorter than 2^33")
}

/// # Safety
/// `entry` is live and its header initialised.
#[inline]
unsafe fn key_at(entry: NonNull<u8>) -> NonNull<u8> {
    let expiry = if header(entry).meta & EXPIRING != 0 { EXPIRY_SIZE } else { 0 };
    // SAFETY: the key begins inside the allocation, or at its end when key and value are empty.
    unsafe { entry.add(HEADER_SIZE + expiry) }
}

/// # Safety
/// `entry` is live and its header initialised.
#[inline]
unsafe fn value_at(entry: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: the value begins inside the allocation, or at its end when it is empty.
    unsafe { key_at(entry).add(header(entry).key_len as usize) }
}

/// # Safety
/// The value is BIG, and its ownership passes to the caller.
unsafe fn take_big(entry: NonNull<u8>) -> Vec<u8> {
    // SAFETY: by the invariant of `Entry` the pointer came from `Box::into_raw`.
    unsafe { *Box::from_raw(value_at(entry).cast::<*mut Vec<u8>>().read_unaligned()) }
}

/// # Safety
/// The value is OBJECT, and its ownership passes to the caller.
unsafe fn take_object(entry: NonNull<u8>) -> Object {
    // SAFETY: by the invariant of `Entry` the pointer came from `Box::into_raw`.
    unsafe { *Box::from_raw(value_at(entry).cast::<*mut Object>().read_unaligned()) }
}

/// Frees the allocation and nothing that it points to.
///
/// # Safety
/// `entry` is live and not used afterwards.
unsafe fn release(entry: NonNull<u8>) {
    // SAFETY: the layout is a function of the header, which no change in place lets change the layout.
    unsafe { dealloc(entry.as_ptr(), layout(&header(entry))) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::List;

    fn string(entry: &Entry) -> Vec<u8> {
        match entry.as_ref().value() {
            ValueRef::String(string) => string.to_vec(),
            ValueRef::Object(_) => panic!("not a string"),
        }
    }

    fn change(entry: &mut Entry) -> EntryMut<'_> {
        EntryMut { pointer: entry.0, life: PhantomData }
    }

    #[test]
    fn a_key_of_16_with_a_value_of_64_takes_96_bytes() {
        let entry = Entry::new(&[b'k'; 16], Content::Bytes(&[b'v'; 64]), None, 0);
        assert_eq!(entry.as_ref().memory(), 96);
    }

    #[test]
    fn every_kind_gives_back_what_it_was_made_from() {
        for expiry in [None, Some(-1), Some(i64::MAX)] {
            for len in [0, 1, 63, INLINE_MAX, INLINE_MAX + 1, 100_000] {
                let value = vec![7; len];
                let entry = Entry::new(b"key", Content::Bytes(&value), expiry, 0xabcdef);
                assert_eq!(entry.as_ref().key(), b"key");
                assert_eq!(entry.as_ref().expiry(), expiry);
                assert_eq!(entry.as_ref().access(), 0xabcdef);
                assert_eq!(string(&entry), value);
                assert!(matches!(entry.into_value(), Value::String(taken) if taken == value));
            }
            let int = Entry::new(b"", Content::Int(i64::MIN), expiry, 0);
            assert_eq!(string(&int), i64::MIN.to_string().as_bytes());
            let list = Entry::new(b"l", Content::Object(Object::List(List::default())), expiry, 0);
            assert!(matches!(list.as_ref().value(), ValueRef::Object(Object::List(_))));
            assert!(matches!(list.into_value(), Value::Object(Object::List(_))));
        }
    }

    #[test]
    fn a_value_is_overwritten_in_place_only_if_the_allocation_fits() {
        let mut entry = Entry::new(b"key", Content::Bytes(b"12345678"), None, 5);
        assert!(change(&mut entry).overwrite(&Content::Int(42)));
        assert_eq!(string(&entry), b"42");
        assert!(change(&mut entry).overwrite(&Content::Edited(b"123456789")));
        assert!(entry.as_ref().is_edited());
        assert!(!change(&mut entry).overwrite(&Content::Bytes(b"1234567890")));
        assert!(!change(&mut entry).overwrite(&Content::Bytes(b"")));
        assert_eq!(string(&entry), b"123456789");
        assert_eq!(entry.as_ref().access(), 5);
    }

    #[test]
    fn what_lives_outside_is_never_overwritten_by_packed_bytes() {
        let mut big = Entry::new(b"key", Content::Big(vec![1; 5000]), None, 0);
        assert!(!change(&mut big).overwrite(&Content::Bytes(b"12345678")));
        change(&mut big).big().expect("it is big").push(2);
        assert_eq!(string(&big).len(), 5001);
    }

    #[test]
    fn another_key_and_expiry_keep_the_value_and_the_access() {
        let entry = Entry::new(b"key", Content::Big(vec![1; 5000]), None, 9);
        let entry = entry.reshaped(Some(b"another key"), Some(77)).reshaped(None, Some(78));
        assert_eq!(entry.as_ref().key(), b"another key");
        assert_eq!(entry.as_ref().expiry(), Some(78));
        assert_eq!(entry.as_ref().access(), 9);
        assert_eq!(string(&entry), vec![1; 5000]);
        assert_eq!(entry.reshaped(None, None).as_ref().expiry(), None);
    }
}
