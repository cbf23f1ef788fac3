//! What sets have in common and what sets them apart, lazily: a caller that wants only a few members takes a few.

use super::{Member, Set};

/// Members of all sets; none of no sets. The smallest is walked and the others are probed, smaller ones first.
pub fn intersection<'a>(sets: &[&'a Set]) -> impl Iterator<Item = Member<'a>> + use<'a> {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let others: Vec<&Set> = sets.drain(..).skip(1).collect();
    let walked = smallest.into_iter().flat_map(Set::iter);
    walked.filter(move |member| others.iter().all(|set| set.contains_member(member)))
}

/// Members of the first set that no other has.
pub fn difference<'a>(
    first: &'a Set,
    others: &[&'a Set],
) -> impl Iterator<Item = Member<'a>> + use<'a> {
    let mut others = others.to_vec();
    // Bigger sets are likelier to have a member, and one that has it is enough.
    others.sort_by_key(|set| std::cmp::Reverse(set.len()));
    first.iter().filter(move |member| !others.iter().any(|set| set.contains_member(member)))
}

/// Members of any set, each once.
pub fn union<'a>(sets: &[&'a Set]) -> impl Iterator<Item = Member<'a>> + use<'a> {
    let sets = sets.to_vec();
    (0..sets.len()).flat_map(move |at| {
        let before = sets[..at].to_vec();
        sets[at].iter().filter(move |member| !before.iter().any(|set| set.contains_member(member)))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::value::Limits;
    use crate::value::testing::Random;

    fn texts<'a>(members: impl Iterator<Item = Member<'a>>) -> Vec<Vec<u8>> {
        let mut texts: Vec<Vec<u8>> = members.map(|member| member.to_vec()).collect();
        texts.sort();
        texts
    }

    fn sorted<'a>(model: impl Iterator<Item = &'a Vec<u8>>) -> Vec<Vec<u8>> {
        model.cloned().collect()
    }

    #[test]
    fn sets_of_all_encodings_meet_as_ordered_sets_do() {
        let mut random = Random::seeded(7);
        for _ in 0..100 {
            let mut sets = vec![Set::default(); 3];
            let mut models = vec![BTreeSet::new(); 3];
            for (set, model) in sets.iter_mut().zip(&mut models) {
                let prefix = ["", "", "m"][random.below(3) as usize];
                let size = [5, 50, 800][random.below(3) as usize];
                for _ in 0..size {
                    let number = random.below(size * 2);
                    let member = if random.below(2) == 0 {
                        format!("{number}")
                    } else {
                        format!("{prefix}{number}")
                    };
                    set.add(member.as_bytes(), &Limits::DEFAULT);
                    model.insert(member.into_bytes());
                }
            }
            let all: Vec<&Set> = sets.iter().collect();
            let [first, second, third] = &models[..] else { unreachable!() };

            let common = sorted(
                first.iter().filter(|&member| second.contains(member) && third.contains(member)),
            );
            assert_eq!(texts(intersection(&all)), common);
            let apart = sorted(
                first.iter().filter(|&member| !second.contains(member) && !third.contains(member)),
            );
            assert_eq!(texts(difference(&sets[0], &all[1..])), apart);
            let any: BTreeSet<&Vec<u8>> = first.iter().chain(second).chain(third).collect();
            assert_eq!(texts(union(&all)), sorted(any.into_iter()));
        }
    }

    #[test]
    fn nothing_is_common_to_no_sets() {
        assert_eq!(intersection(&[]).count(), 0);
        assert_eq!(union(&[]).count(), 0);
    }
}
