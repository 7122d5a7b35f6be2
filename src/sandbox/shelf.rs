//! A map with room for so many things: what is put in when it is full pushes the oldest out.
//!
//! The sandbox can run for days and anyone may fill it, so nothing that it keeps grows for ever.

use std::collections::{HashMap, VecDeque};

/// Things by key, oldest first.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    room: usize,
    oldest_first: VecDeque<String>,
    things: HashMap<String, T>,
}

impl<T> Shelf<T> {
    /// A shelf for `room` things, at least one.
    pub(super) fn new(room: usize) -> Self {
        Self { room: room.max(1), oldest_first: VecDeque::new(), things: HashMap::new() }
    }

    /// Puts a thing in; one with the same key is replaced and keeps its age.
    pub(super) fn put(&mut self, key: String, thing: T) {
        if self.things.insert(key.clone(), thing).is_some() {
            return;
        }
        self.oldest_first.push_back(key);
        if self.oldest_first.len() > self.room
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.things.remove(&oldest);
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&T> {
        self.things.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut T> {
        self.things.get_mut(key)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<T> {
        let thing = self.things.remove(key)?;
        self.oldest_first.retain(|kept| kept != key);
        Some(thing)
    }

    pub(super) fn keys(&self) -> impl DoubleEndedIterator<Item = &String> {
        self.oldest_first.iter()
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.oldest_first.iter().filter_map(|key| self.things.get(key))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.things.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
        let mut shelf = Shelf::new(2);
        for (key, value) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            shelf.put(key.to_owned(), value);
        }
        assert_eq!(shelf.get("a"), None);
        assert_eq!(shelf.iter().copied().collect::<Vec<_>>(), [2, 4]);
    }

    #[test]
    fn a_removed_thing_gives_its_room_back() {
        let mut shelf = Shelf::new(2);
        shelf.put("a".to_owned(), 1);
        shelf.put("b".to_owned(), 2);
        assert_eq!(shelf.remove("a"), Some(1));
        shelf.put("c".to_owned(), 3);
        assert_eq!(shelf.keys().collect::<Vec<_>>(), ["b", "c"]);
    }
}
