//! `POST /catalog/search` and `POST /catalog/availability`: a small shop's shelf.
//!
//! Prices are in US dollars' cents. What is on sale never changes while the sandbox runs.

mod filters;
pub(super) mod stock;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::endpoint::Asked;
use super::envelope::{Answer, Refusal};
use super::world::World;
use filters::Filter;
use stock::{Product, RETAILERS, Retailer, Size, Variant, products};

/// How many products a page has unless asked otherwise.
const PER_PAGE: usize = 20;
/// The most products that a page may have.
const MAX_PER_PAGE: usize = 100;
/// The most filters that a search may have.
const MAX_FILTERS: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Search {
    search: String,
    page: usize,
    per_page: usize,
    page_token: String,
    retailers: Vec<String>,
    order_by: Option<OrderBy>,
    order_direction: Direction,
    filters: Vec<Filter>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            search: String::new(),
            page: 1,
            per_page: PER_PAGE,
            page_token: String::new(),
            retailers: Vec::new(),
            order_by: None,
            order_direction: Direction::Asc,
            filters: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OrderBy {
    Price,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Asc,
    Desc,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Availability {
    upcs: Vec<String>,
    grouping: Vec<String>,
    ids: Vec<String>,
}

/// Finds products by words, filters and retailers, a page at a time.
///
/// Every word of the search must occur in a product's name, brand, category or region.
pub(super) fn search(_: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let search: Search = asked.body()?;
    if search.per_page == 0 || search.per_page > MAX_PER_PAGE {
        return Err(Refusal::invalid(format_args!("perPage must be from 1 to {MAX_PER_PAGE}")));
    }
    if search.filters.len() > MAX_FILTERS {
        return Err(Refusal::invalid(format_args!("at most {MAX_FILTERS} filters are allowed")));
    }
    let mut found: Vec<&Product> = products()
        .filter(|product| product.matches(&search.search))
        .filter(|product| search.retailers.is_empty() || product.sold_by(&search.retailers))
        .filter(|product| search.filters.iter().all(|filter| filter.holds(product)))
        .collect();
    if let Some(OrderBy::Price) = search.order_by {
        found.sort_by_key(|product| product.prices().min());
        if let Direction::Desc = search.order_direction {
            found.reverse();
        }
    }
    let page = Page::of(&search, found.len())?;
    let shown: Vec<&Product> = found.iter().copied().skip(page.skip()).take(page.size).collect();
    let mut fields = listing(&shown);
    fields.insert("navigation".to_owned(), page.navigation(&search, &found));
    Ok(Answer::Beside(fields))
}

/// Says where products can be had, by UPC, grouping or id.
pub(super) fn availability(_: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let wanted: Availability = asked.body()?;
    if wanted.upcs.is_empty() && wanted.grouping.is_empty() && wanted.ids.is_empty() {
        return Err(Refusal::invalid("one of upcs, grouping and ids must name a product"));
    }
    let found: Vec<&Product> = products()
        .filter(|product| {
            wanted.ids.iter().any(|id| id == product.id)
                || wanted.grouping.iter().any(|grouping| grouping == product.grouping)
                || wanted.upcs.iter().any(|upc| product.sizes.iter().any(|size| size.upc == upc))
        })
        .collect();
    Ok(Answer::Beside(listing(&found)))
}

/// Where in all that was found a page is.
struct Page {
    number: usize,
    size: usize,
    total: usize,
}

impl Page {
    /// `pageToken`, which an answer's cursor gave, goes before `page`; page 0 is the first, too.
    fn of(search: &Search, total: usize) -> Result<Self, Refusal> {
        let number = match search.page_token.as_str() {
            "" => search.page,
            token => token
                .strip_prefix("page-")
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| Refusal::invalid("pageToken was not given by this API"))?,
        };
        Ok(Self { number: number.max(1), size: search.per_page, total })
    }

    fn skip(&self) -> usize {
        (self.number - 1).saturating_mul(self.size)
    }

    fn navigation(&self, search: &Search, found: &[&Product]) -> Value {
        let pages = self.total.div_ceil(self.size);
        let token = |number: usize| {
            if (1..=pages).contains(&number) { format!("page-{number}") } else { String::new() }
        };
        json!({
            "id": "navigation",
            "correctedQuery": search.search,
            "attributionToken": "",
            "currentPage": self.number,
            "totalPages": pages,
            "totalCount": self.total,
            "availableOrderBy": ["price"],
            "availableOrderDirection": ["asc", "desc"],
            "cursor": {
                "nextPageToken": token(self.number.saturating_add(1)),
                "previousPageToken": token(self.number - 1),
            },
            "filters": filters::facets(found),
        })
    }
}

fn listing(found: &[&Product]) -> Map<String, Value> {
    let retailers: Vec<Value> = RETAILERS.iter().map(Retailer::view).collect();
    let products: Vec<Value> = found.iter().map(|product| product.view()).collect();
    Map::from_iter([("retailers".to_owned(), json!(retailers)), ("products".to_owned(), json!(products))])
}

impl Product {
    fn matches(&self, words: &str) -> bool {
        let text = [self.name, self.brand, self.category, self.classification, self.region, self.country]
            .join(" ")
            .to_lowercase();
        words.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }

    fn sold_by(&self, retailers: &[String]) -> bool {
        self.variants().any(|variant| retailers.iter().any(|id| id == variant.retailer().id))
    }

    fn view(&self) -> Value {
        let prices: Vec<u64> = self.prices().collect();
        json!({
            "id": self.id,
            "name": self.name,
            "brand": self.brand,
            "catPath": self.cat_path(),
            "category": self.category,
            "classification": self.classification,
            "type": self.classification,
            "subType": "",
            "salsifyGrouping": self.grouping,
            "region": self.region,
            "country": self.country,
            "material": "",
            "abv": self.abv,
            "proof": self.proof,
            "age": "", "color": "", "flavor": "", "variety": "", "appellation": "", "vintage": "",
            "description": self.description,
            "htmlDescription": format!("<p>{}</p>", self.description),
            "tastingNotes": "",
            "images": [image(self.grouping)],
            "sizes": self.sizes.iter().map(|size| size.view(self)).collect::<Vec<_>>(),
            "priceInfo": {
                "currency": "USD",
                "minimum": prices.iter().min(),
                "average": prices.iter().sum::<u64>() / prices.len().max(1) as u64,
                "maximum": prices.iter().max(),
            },
        })
    }
}

impl Size {
    fn view(&self, product: &Product) -> Value {
        json!({
            "id": self.upc,
            "upc": self.upc,
            "size": self.name(),
            "volume": self.volume,
            "uom": self.uom,
            "catPath": product.cat_path(),
            "image": image(product.grouping),
            "pack": false,
            "packDesc": "",
            "container": "bottle",
            "containerType": "glass",
            "price": self.variants.iter().map(|variant| variant.price).min(),
            "attributes": {
                "presale": { "canPurchaseOn": null, "estimatedShipBy": null, "isActive": false, "language": "" },
                "engraving": self.engraving(),
            },
            "variants": self.variants.iter().map(|variant| variant.view(self)).collect::<Vec<_>>(),
        })
    }
}

impl Variant {
    fn view(&self, size: &Size) -> Value {
        let retailer = self.retailer();
        let fulfillment = |id: Option<&str>| id.unwrap_or_default().to_owned();
        json!({
            "partNumber": self.part_number(size),
            "retailerId": retailer.id,
            "price": self.price,
            "salePrice": 0,
            "isEngravable": size.engraving_fee.is_some(),
            "stock": self.stock,
            "fulfillments": retailer.fulfillments().map(|fulfillment| fulfillment.id).collect::<Vec<_>>(),
            "fulfillmentTypes": {
                "shipping": fulfillment(Some(retailer.shipping.id)),
                "onDemand": fulfillment(retailer.on_demand.as_ref().map(|fulfillment| fulfillment.id)),
                "bopis": "",
            },
        })
    }
}

/// Where a picture would be; the host does not exist.
pub(super) fn image(grouping: &str) -> String {
    format!("https://images.sandbox.invalid/{grouping}.png")
}
