//! `POST /address/autocomplete` and `POST /address/details`: five addresses that can be looked up.

use serde::Deserialize;
use serde_json::{Value, json};

use super::endpoint::Asked;
use super::envelope::{Answer, Refusal};
use super::world::World;

/// An address in the book.
pub(super) struct Known {
    id: &'static str,
    pub(super) one: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) zip: &'static str,
    pub(super) lat: f64,
    pub(super) long: f64,
}

static BOOK: [Known; 5] = [
    Known {
        id: "sandbox-place-1",
        one: "100 Main St",
        city: "New York",
        state: "NY",
        zip: "10005",
        lat: 40.7063,
        long: -74.009,
    },
    Known {
        id: "sandbox-place-2",
        one: "25 Main St",
        city: "Brooklyn",
        state: "NY",
        zip: "11201",
        lat: 40.7033,
        long: -73.9903,
    },
    Known {
        id: "sandbox-place-3",
        one: "233 S Wacker Dr",
        city: "Chicago",
        state: "IL",
        zip: "60606",
        lat: 41.8789,
        long: -87.6359,
    },
    Known {
        id: "sandbox-place-4",
        one: "500 Ocean Ave",
        city: "Santa Monica",
        state: "CA",
        zip: "90402",
        lat: 34.0259,
        long: -118.5073,
    },
    Known {
        id: "sandbox-place-5",
        one: "1200 Congress Ave",
        city: "Austin",
        state: "TX",
        zip: "78701",
        lat: 30.2755,
        long: -97.7405,
    },
];

impl Known {
    fn formatted(&self) -> String {
        format!("{}, {}, {} {}, USA", self.one, self.city, self.state, self.zip)
    }

    fn details(&self) -> Value {
        json!({
            "formattedAddress": self.formatted(),
            "coords": { "lat": self.lat, "long": self.long },
            "address": {
                "one": self.one, "two": "", "city": self.city, "state": self.state, "zip": self.zip, "country": "US",
            },
        })
    }
}

#[derive(Debug, Deserialize)]
struct Autocomplete {
    input: String,
}

#[derive(Debug, Deserialize)]
struct Details {
    id: String,
}

/// Suggests the addresses that have every word of the input.
pub(super) fn autocomplete(_: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let Autocomplete { input } = asked.body()?;
    let input = input.to_lowercase().replace(',', " ");
    if input.trim().is_empty() {
        return Err(Refusal::invalid("input must not be empty"));
    }
    let suggestions: Vec<Value> = BOOK
        .iter()
        .filter(|known| {
            let text = known.formatted().to_lowercase();
            input.split_whitespace().all(|word| text.contains(word))
        })
        .map(|known| json!({ "id": known.id, "description": known.formatted() }))
        .collect();
    Ok(Answer::Data(json!(suggestions)))
}

/// Says all about a suggestion.
pub(super) fn details(_: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let Details { id } = asked.body()?;
    let known = find(&id).ok_or_else(|| Refusal::not_found("Address"))?;
    Ok(Answer::Data(known.details()))
}

/// The address that a suggestion's id stands for.
pub(super) fn find(id: &str) -> Option<&'static Known> {
    BOOK.iter().find(|known| known.id == id)
}
