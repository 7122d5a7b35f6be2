//! Bytes that stay with a connection, and no memory where there are none.

use std::ops::{Deref, DerefMut};

/// Bytes that are taken from the front, and added at the end.
#[derive(Debug, Default)]
pub(super) struct Kept {
    bytes: Vec<u8>,
    taken: usize,
}

impl Kept {
    /// Takes so many bytes from the front. Those that were taken are let go of when they are as many as those
    /// that are left, so the memory goes with the last.
    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
        if self.taken >= self.bytes.len() - self.taken {
            *self = Self::from(&self.bytes[self.taken..]);
        }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Adds so many zeros, and gives them to be written on.
    pub(super) fn add_space(&mut self, count: usize) -> &mut [u8] {
        let end = self.bytes.len();
        self.bytes.resize(end + count, 0);
        &mut self.bytes[end..]
    }
}

#[cfg(test)]
impl Kept {
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

impl From<&[u8]> for Kept {
    fn from(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), taken: 0 }
    }
}

impl Deref for Kept {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.taken..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_was_not_taken() {
        let mut kept = Kept::from(&b"abc"[..]);
        kept.take(2);
        kept.add(b"de");
        kept.add_space(1).copy_from_slice(b"f");
        assert_eq!(&*kept, b"cdef");
        kept[0] = b'C';
        kept.take(3);
        assert_eq!(&*kept, b"f");
        kept.take(1);
        assert_eq!((kept.len(), kept.capacity()), (0, 0));
    }
}
