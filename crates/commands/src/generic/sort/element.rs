//! The elements of what is sorted, in each of the orders.

use std::cmp::Ordering;

use keyspace::value::ValueRef;
use keyspace::{Database, Object};
use resp::parse_double;

use super::options::Sort;
use super::pattern::Pattern;
use crate::{Error, Result};

type Element = Box<[u8]>;

pub(super) fn in_stored_order(
    database: &mut Database,
    key: &[u8],
    sort: &Sort,
) -> Result<Vec<Element>> {
    let Some(value) = database.read(key) else { return Ok(Vec::new()) };
    let ValueRef::Object(object) = value else { return Err(Error::WrongType.into()) };
    let range = sort.within(object.len());
    let reversed = object.len() - range.end..object.len() - range.start;
    Ok(match object {
        Object::List(list) if sort.descending => {
            list.range(reversed).rev().map(Box::from).collect()
        }
        Object::List(list) => list.range(range).map(Box::from).collect(),
        Object::SortedSet(set) if sort.descending => {
            set.range(reversed).rev().map(|(member, _)| member.into()).collect()
        }
        Object::SortedSet(set) => set.range(range).map(|(member, _)| member.into()).collect(),
        Object::Set(set) => {
            let mut members: Vec<Element> = set.iter().map(|member| (*member).into()).collect();
            // A set has no order, but what is stored must not depend on chance.
            if sort.destination.is_some() {
                members.sort_unstable();
                if sort.descending {
                    members.reverse();
                }
            }
            members.truncate(range.end);
            members.split_off(range.start)
        }
        Object::Hash(_) | Object::Stream(_) => return Err(Error::WrongType.into()),
    })
}

pub(super) fn by_number(
    database: &mut Database,
    key: &[u8],
    sort: &Sort,
    by: Pattern,
) -> Result<Vec<Element>> {
    let mut weighed = Vec::new();
    for element in elements(database, key)? {
        let weight = by.follow(database, &element, |text| text.map_or(Some(0.0), parse_weight));
        let weight = weight
            .ok_or_else(|| Error::text("ERR One or more scores can't be converted into double"))?;
        weighed.push((weight, element));
    }
    Ok(sorted(weighed, sort, |left, right| {
        left.0.partial_cmp(&right.0).unwrap_or(Ordering::Equal).then_with(|| left.1.cmp(&right.1))
    }))
}

pub(super) fn by_text(
    database: &mut Database,
    key: &[u8],
    sort: &Sort,
    by: Pattern,
) -> Result<Vec<Element>> {
    let elements = elements(database, key)?;
    if by == Pattern::Element {
        let bare = elements.into_iter().map(|element| ((), element)).collect();
        return Ok(sorted(bare, sort, |left, right| left.1.cmp(&right.1)));
    }
    let mut labelled: Vec<(Option<Element>, Element)> = Vec::with_capacity(elements.len());
    for element in elements {
        labelled.push((by.follow(database, &element, |text| text.map(Box::from)), element));
    }
    // What has no text comes first.
    Ok(sorted(labelled, sort, |left, right| left.0.cmp(&right.0)))
}

/// A copy: the keys that patterns lead to are looked up while it is sorted.
fn elements(database: &mut Database, key: &[u8]) -> Result<Vec<Element>> {
    match database.read(key) {
        None => Ok(Vec::new()),
        Some(ValueRef::Object(Object::List(list))) => Ok(list.iter().map(Box::from).collect()),
        Some(ValueRef::Object(Object::Set(set))) => {
            Ok(set.iter().map(|member| (*member).into()).collect())
        }
        Some(ValueRef::Object(Object::SortedSet(set))) => {
            Ok(set.iter().map(|(member, _)| member.into()).collect())
        }
        Some(_) => Err(Error::WrongType.into()),
    }
}

fn sorted<W>(
    mut elements: Vec<(W, Element)>,
    sort: &Sort,
    compare: impl Fn(&(W, Element), &(W, Element)) -> Ordering,
) -> Vec<Element> {
    if sort.descending {
        elements.sort_by(|left, right| compare(right, left));
    } else {
        elements.sort_by(compare);
    }
    let range = sort.within(elements.len());
    elements.drain(range).map(|(_, element)| element).collect()
}

/// As C's strtod takes a whole string: blanks before a number, and nothing at all, which is zero.
fn parse_weight(text: &[u8]) -> Option<f64> {
    if text.is_empty() { Some(0.0) } else { parse_double(text.trim_ascii_start()) }
}
