//! Things with numbers that rise: what is added last has the largest.

use std::collections::VecDeque;

/// A map of the few invocations that are open at once. Mostly that is one, for which a tree would allocate at each call.
#[derive(Debug)]
pub(crate) struct Numbered<T>(VecDeque<(u64, T)>);

impl<T> Numbered<T> {
    /// `number` is larger than any that is there.
    pub(crate) fn push(&mut self, number: u64, item: T) {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < number));
        self.0.push_back((number, item));
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        Some(&self.0[self.place(number)?].1)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number)?;
        Some(&mut self.0[place].1)
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number)?;
        self.0.remove(place).map(|(_, item)| item)
    }

    /// The one with the smallest number.
    pub(crate) fn first(&self) -> Option<(u64, &T)> {
        self.iter().next()
    }

    pub(crate) fn pop_first(&mut self) -> Option<(u64, T)> {
        self.0.pop_front()
    }

    /// In the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.0.iter().map(|(number, item)| (*number, item))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, in order; none is left.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = T> + use<T> {
        std::mem::take(&mut self.0).into_iter().map(|(_, item)| item)
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.0.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    proptest::proptest! {
        #[test]
        fn it_holds_what_a_map_would_hold(steps in proptest::collection::vec((0_u8..4, 0_u64..20), 1..80)) {
            let (mut here, mut map, mut next) = (Numbered::default(), BTreeMap::new(), 0);
            for (choice, number) in steps {
                match choice {
                    0 | 1 => {
                        next += 1 + number % 3;
                        here.push(next, number);
                        map.insert(next, number);
                    }
                    2 => assert_eq!(here.remove(number), map.remove(&number)),
                    _ => assert_eq!(here.pop_first(), map.pop_first()),
                }
                assert_eq!(here.get(number), map.get(&number));
                assert_eq!(here.get_mut(number), map.get_mut(&number));
                assert_eq!(here.first(), map.first_key_value().map(|(number, item)| (*number, item)));
                assert!(here.iter().eq(map.iter().map(|(number, item)| (*number, item))));
                assert_eq!((here.len(), here.is_empty()), (map.len(), map.is_empty()));
            }
            assert!(here.take().eq(map.into_values()));
            assert!(here.is_empty());
        }
    }
}
