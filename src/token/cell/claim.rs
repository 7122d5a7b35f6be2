//! Who asks for the next token in band: one request at a time, and not for ever.

use std::sync::{Arc, Mutex, PoisonError};

use super::super::Generation;

/// So many requests are tried for the successor of one token; then the authentication endpoint is asked.
const MOST_TRIES: u32 = 3;

/// The claims on a credential's next token, over all workers.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Mutex<Tries>>);

#[derive(Debug, Default)]
struct Tries {
    of: Option<Generation>,
    made: u32,
    under_way: bool,
}

/// The right to ask for the next token, until dropped.
#[derive(Debug)]
pub struct Claim(Claims);

impl Claims {
    /// The right to ask for the successor of `generation`.
    pub(super) fn claim(&self, generation: Generation) -> Option<Claim> {
        let mut tries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.of != Some(generation) {
            tries.of = Some(generation);
            tries.made = 0;
        }
        if tries.under_way || tries.made == MOST_TRIES {
            return None;
        }
        tries.made += 1;
        tries.under_way = true;
        Some(Claim(self.clone()))
    }
}

impl Claim {
    /// The API does not take the wish: nobody is to make it again before the next token.
    pub fn refused(self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).made = MOST_TRIES;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).under_way = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_not_for_ever() {
        let claims = Claims::default();
        let first = Generation::after(None);
        let claim = claims.claim(first);
        assert!(claim.is_some());
        assert!(claims.claim(first).is_none(), "another is at it");
        drop(claim);
        for _ in 1..MOST_TRIES {
            assert!(claims.claim(first).is_some());
        }
        assert!(claims.claim(first).is_none(), "it has been tried often enough");
        let second = Generation::after(Some(first));
        let claim = claims.claim(second).expect("each token has tries of its own");
        claim.refused();
        assert!(claims.claim(second).is_none(), "the API has refused it");
        assert!(claims.claim(Generation::after(Some(second))).is_some());
    }
}
