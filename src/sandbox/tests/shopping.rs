//! From the catalogue to the order.

use super::*;

const BOURBON: &str = "850000000017_64b7f0c2a1d3e4f5a6b7c801";
const GIN_OUT_OF_STOCK: &str = "850000000062_64b7f0c2a1d3e4f5a6b7c802";
const SHIPPING: &str = "64b7f0c2a1d3e4f5a6b7c811";
const SHIPPING_FROM_CHICAGO: &str = "64b7f0c2a1d3e4f5a6b7c821";

fn bourbon(quantity: u64) -> Value {
    json!({ "partNumber": BOURBON, "fulfillmentId": SHIPPING, "quantity": quantity })
}

fn events(got: &Got) -> Vec<&str> {
    got.body["cart"]["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

async fn cart(client: &Client) -> String {
    let loc =
        json!({ "address": { "one": "100 Main St", "city": "New York", "state": "NY", "zip": "10005" } });
    let got = client.post("/cart/update", json!({ "items": [bourbon(2)], "loc": loc })).await;
    got.body["cart"]["id"].as_str().unwrap().to_owned()
}

async fn prepared(client: &Client, cart: &str) -> Value {
    let customer = json!({ "email": "ada@example.com", "firstName": "Ada" });
    let got = client
        .post("/checkout/prepare", json!({ "cartId": cart, "customer": customer, "hasAgeVerify": true }))
        .await;
    assert_eq!(got.codes(), (200, 200), "{got:?}");
    got.body["data"].clone()
}

#[tokio::test]
async fn a_search_finds_filters_sorts_and_pages() {
    let client = Client::new().await;
    let names = async |body: Value| {
        let got = client.post("/catalog/search", body).await;
        assert_eq!(got.codes(), (200, 200), "{got:?}");
        let products = got.body["products"].as_array().unwrap().clone();
        let names: Vec<_> =
            products.iter().map(|product| product["name"].as_str().unwrap().to_owned()).collect();
        (names, got.body["navigation"].clone())
    };
    assert_eq!(names(json!({ "search": "TEQUILA mexico" })).await.0, ["Blanco del Valle Tequila"]);
    assert_eq!(names(json!({ "search": "absinthe" })).await.0, [""; 0]);
    let wine =
        json!([{ "key": "categories", "values": ["WINE"] }, { "key": "price", "values": { "max": "2000" } }]);
    assert_eq!(names(json!({ "filters": wine })).await.0, ["Quiet Reef Sauvignon Blanc"]);
    let engravable = json!([{ "key": "engraving", "values": "YES" }, { "key": "sizes", "values": ["1L"] }]);
    assert_eq!(names(json!({ "filters": engravable })).await.0, ["Copper Finch Straight Bourbon"]);
    let (first, navigation) =
        names(json!({ "perPage": 3, "orderBy": "price", "orderDirection": "desc" })).await;
    assert_eq!(first[0], "Glen Carrick 12 Single Malt");
    assert_eq!((&navigation["totalCount"], &navigation["totalPages"]), (&json!(8), &json!(3)));
    let next = &navigation["cursor"]["nextPageToken"];
    let (second, navigation) =
        names(json!({ "perPage": 3, "orderBy": "price", "orderDirection": "desc", "pageToken": next })).await;
    assert!(second.iter().all(|name| !first.contains(name)));
    assert_eq!(navigation["currentPage"], 2);
    assert_eq!(names(json!({ "page": usize::MAX, "perPage": 100 })).await.0, [""; 0]);
}

#[tokio::test]
async fn a_bad_search_is_5487() {
    let client = Client::new().await;
    for body in [
        json!({ "search": 1 }),
        json!({ "perPage": 0 }),
        json!({ "page": -1 }),
        json!({ "orderBy": "name" }),
        json!({ "pageToken": "made-up" }),
        json!({ "filters": [{ "key": "unheard", "values": [] }] }),
        json!({ "filters": [{ "key": "brands", "values": "one" }] }),
    ] {
        assert_eq!(client.post("/catalog/search", body.clone()).await.codes(), (400, 5487), "{body}");
    }
    assert_eq!(client.post("/catalog/availability", json!({})).await.codes(), (400, 5487));
}

#[tokio::test]
async fn a_cart_remembers_its_items() {
    let client = Client::new().await;
    let got = client.post("/cart/update", json!({ "items": [bourbon(2)] })).await;
    let cart = got.body["cart"].clone();
    assert_eq!(events(&got), ["NewCart"]);
    assert_eq!(
        (&cart["quantity"], &cart["subtotal"], &cart["total"]),
        (&json!(2), &json!(8598), &json!(9597))
    );
    let shown = client.post("/cart/update", json!({ "id": cart["id"] })).await;
    assert_eq!(shown.body["cart"]["items"], cart["items"]);
    assert_eq!(events(&shown), [""; 0]);
    let more = client.post("/cart/update", json!({ "id": cart["id"], "items": [bourbon(3)] })).await;
    assert_eq!(more.body["cart"]["items"][0]["id"], cart["items"][0]["id"]);
    assert_eq!(more.body["cart"]["quantity"], 3);
    let none = client.post("/cart/update", json!({ "id": cart["id"], "items": [bourbon(0)] })).await;
    assert_eq!((&none.body["cart"]["items"], &none.body["cart"]["total"]), (&json!([]), &json!(0)));
    assert_eq!(events(&none), ["NoItemsInCart"]);
}

#[tokio::test]
async fn a_cart_says_what_it_could_not_do() {
    let client = Client::new().await;
    let engraved = json!({ "partNumber": BOURBON, "fulfillmentId": SHIPPING, "quantity": 1, "engravingLines": ["far too long a line"] });
    let gin =
        json!({ "partNumber": GIN_OUT_OF_STOCK, "fulfillmentId": SHIPPING_FROM_CHICAGO, "quantity": 1 });
    for (body, expected) in [
        (json!({ "id": "unknown" }), "InvalidId"),
        (json!({ "items": [bourbon(1000)] }), "ItemQuantityChange"),
        (json!({ "items": [bourbon(0)] }), "ItemIdNotFound"),
        (json!({ "items": [engraved] }), "ItemEngravingError"),
        (json!({ "items": [gin] }), "OutOfStock"),
        (
            json!({ "items": [{ "partNumber": "a_b", "fulfillmentId": SHIPPING, "quantity": 1 }] }),
            "ItemsNotAdded",
        ),
        (
            json!({ "items": [{ "partNumber": BOURBON, "fulfillmentId": "x", "quantity": 1 }] }),
            "ItemsNotAdded",
        ),
        (json!({ "promoCode": "NOPE" }), "CouponNotFound"),
    ] {
        let got = client.post("/cart/update", body.clone()).await;
        assert_eq!(got.codes(), (200, 200), "{body}");
        assert!(events(&got).contains(&expected), "{body}: {:?}", events(&got));
    }
}

#[tokio::test]
async fn a_malformed_cart_is_5487() {
    let client = Client::new().await;
    let crowd: Vec<Value> = (0..26).map(|_| bourbon(1)).collect();
    for body in [
        json!({ "items": crowd }),
        json!({ "items": [{ "partNumber": BOURBON }] }),
        json!({ "items": [{ "partNumber": BOURBON, "fulfillmentId": SHIPPING, "quantity": -1 }] }),
        json!({ "loc": { "coords": { "lat": 91, "long": 0 } } }),
        json!({ "loc": { "address": { "state": "NY" } } }),
        json!({ "loc": { "address": { "city": "x".repeat(1001), "zip": "1" } } }),
    ] {
        assert_eq!(client.post("/cart/update", body.clone()).await.codes(), (400, 5487), "{body}");
    }
}

#[tokio::test]
async fn a_user_is_made_changed_read_and_purged() {
    let client = Client::new().await;
    let got = client.post("/users/session", json!({ "email": "ada@example.com", "firstName": "Ada" })).await;
    let id = got.body["data"]["id"].as_str().unwrap().to_owned();
    assert!(got.body["data"]["session"]["secret"].is_string());
    let again = client.post("/users/session", json!({ "email": "ADA@example.com", "lastName": "L" })).await;
    assert_eq!(again.body["data"]["id"], id);
    let address = json!({ "customerId": id, "type": "shipping", "placesId": "sandbox-place-3" });
    assert_eq!(client.post("/users/addresses/add", address).await.body["data"]["city"], "Chicago");
    let payment = json!({ "customerId": id, "paymentMethodId": "pm_card_visa" });
    assert_eq!(client.post("/users/payments/add", payment).await.body["data"]["id"], "pm_card_visa");
    let user = client.get(&format!("/users/fetch/{id}")).await.body["data"].take();
    assert_eq!((&user["firstName"], &user["lastName"]), (&json!("Ada"), &json!("L")));
    assert_eq!(
        (&user["addresses"][0]["zip"], &user["savedPayments"][0]["isDefault"]),
        (&json!("60606"), &json!(true))
    );
    let purged = client.call("DELETE", "/users/purge/ada@example.com", Body::empty()).await;
    assert_eq!(purged.body["data"]["deleted"], true);
    assert_eq!(client.get(&format!("/users/fetch/{id}")).await.codes(), (404, 404));
}

#[tokio::test]
async fn a_checkout_takes_from_the_account_what_is_not_said() {
    let client = Client::new().await;
    let user = client.post("/users/session", json!({ "email": "ada@example.com", "firstName": "Ada" })).await;
    let id = &user.body["data"]["id"];
    let cart = cart(&client).await;
    for (customer, name) in [(id.clone(), "Ada"), (json!({ "id": id, "firstName": "Augusta" }), "Augusta")] {
        let got = client.post("/checkout/prepare", json!({ "cartId": cart, "customer": customer })).await;
        let taken = &got.body["data"]["customer"];
        assert_eq!(
            (&taken["id"], &taken["email"], &taken["firstName"]),
            (id, &json!("ada@example.com"), &json!(name))
        );
    }
}

#[tokio::test]
async fn what_users_send_is_checked() {
    let client = Client::new().await;
    let got = client.post("/users/session", json!({ "email": "ada@example.com" })).await;
    let id = got.body["data"]["id"].clone();
    for (path, body, codes) in [
        ("/users/session", json!({}), (404, 404)),
        ("/users/session", json!({ "email": "nobody" }), (400, 5487)),
        ("/users/addresses/add", json!({ "customerId": id, "type": "shipping" }), (400, 5502)),
        ("/users/addresses/add", json!({ "customerId": id, "type": "home" }), (400, 5487)),
        ("/users/addresses/add", json!({ "customerId": "none", "type": "billing" }), (404, 404)),
        ("/users/payments/add", json!({ "customerId": id, "paymentMethodId": "card" }), (400, 5499)),
        ("/users/payments/add", json!({ "customerId": id }), (400, 5487)),
        ("/address/autocomplete", json!({ "input": " " }), (400, 5487)),
        ("/address/details", json!({ "id": "none" }), (404, 404)),
        ("/webhook/test", json!({ "endpoint": "ftp://example.com" }), (400, 5487)),
    ] {
        assert_eq!(client.post(path, body.clone()).await.codes(), codes, "{path} {body}");
    }
}

#[tokio::test]
async fn a_checkout_becomes_an_order_that_can_be_read() {
    let client = Client::new().await;
    let cart = cart(&client).await;
    let checkout = prepared(&client, &cart).await;
    assert_eq!(checkout["amounts"]["total"], 8598 + 999 + 687);
    let payment = json!({ "token": checkout["token"], "payment": "pm_card_visa" });
    let order = client.post("/checkout/complete", payment).await.body["data"]["order"].take();
    for id in [&order["referenceId"], &order["legacyOrderNumber"]] {
        let got = client.get(&format!("/api/orders/{}", id.as_str().unwrap())).await;
        assert_eq!(got.body["data"]["referenceId"], order["referenceId"]);
        assert_eq!(got.body["data"]["items"][0]["product"]["upc"], "850000000017");
        assert_eq!(got.body["data"]["amounts"]["total"], checkout["amounts"]["total"]);
    }
    let after = client.post("/cart/update", json!({ "id": cart })).await;
    assert_eq!(events(&after)[0], "CartCheckoutProcessed");
    assert_ne!(after.body["cart"]["id"], json!(cart));
}

#[tokio::test]
async fn orders_are_listed_by_date_and_customer() {
    let client = Client::new().await;
    let today = || super::super::clock::iso(client.handle.clock().now_ms())[..10].to_owned();
    let first = today();
    for _ in 0..3 {
        let checkout = prepared(&client, &cart(&client).await).await;
        let payment = json!({ "token": checkout["token"], "payment": "pm_card_visa" });
        assert_eq!(client.post("/checkout/complete", payment).await.codes(), (200, 200));
    }
    let last = today();
    let total = async |query: &str| {
        let got = client.get(&format!("/orders?{query}")).await;
        (
            got.body["data"]["total"].clone(),
            got.body["data"]["orders"].as_array().map(Vec::len).unwrap_or_default(),
        )
    };
    assert_eq!(total(&format!("startDate={first}&endDate={last}")).await, (json!(3), 3));
    assert_eq!(total(&format!("startDate={first}T00:00:00.000Z&limit=2&page=2")).await, (json!(3), 1));
    assert_eq!(total("startDate=2020-01-01&endDate=2020-12-31").await, (json!(0), 0));
    assert_eq!(total("startDate=2020-01-01&customerEmail=ada%40example.com").await, (json!(3), 3));
    assert_eq!(total("startDate=2020-01-01&customerEmail=bob@example.com").await, (json!(0), 0));
    for query in ["", "startDate=soon", "startDate=2020-01-01&limit=0", "startDate=2020-01-01&page=x"] {
        assert_eq!(client.get(&format!("/orders?{query}")).await.codes(), (400, 5487), "{query}");
    }
}

#[tokio::test]
async fn checkout_errors_have_their_own_codes() {
    let client = Client::new().await;
    let prepare = async |body: Value| client.post("/checkout/prepare", body).await.codes();
    assert_eq!(prepare(json!({ "cartId": "none" })).await, (400, 5485));
    let empty = client.post("/cart/update", json!({})).await.body["cart"]["id"].take();
    assert_eq!(prepare(json!({ "cartId": empty })).await, (400, 5494));
    let nowhere =
        client.post("/cart/update", json!({ "items": [bourbon(1)] })).await.body["cart"]["id"].take();
    assert_eq!(prepare(json!({ "cartId": nowhere })).await, (400, 5497));
    let cart = cart(&client).await;
    assert_eq!(prepare(json!({ "cartId": cart, "customer": "nobody" })).await, (400, 5495));
    assert_eq!(prepare(json!({ "cartId": cart, "customer": { "id": "nobody" } })).await, (400, 5495));
    let tips = json!([{ "fulfillmentId": "none", "tip": 100 }]);
    assert_eq!(prepare(json!({ "cartId": cart, "deliveryTips": tips })).await, (400, 5503));
    assert_eq!(prepare(json!({ "cartId": 1 })).await, (400, 5487));
}

#[tokio::test]
async fn completing_is_checked_and_happens_once() {
    let client = Client::new().await;
    let complete = async |token: &Value, payment: &str| {
        client.post("/checkout/complete", json!({ "token": token, "payment": payment })).await.codes()
    };
    assert_eq!(complete(&json!("none"), "pm_1").await, (400, 5489));
    let cart = cart(&client).await;
    let checkout = prepared(&client, &cart).await;
    assert_eq!(complete(&checkout["token"], "cash").await, (400, 5499));
    client.post("/cart/update", json!({ "id": cart, "items": [bourbon(1)] })).await;
    assert_eq!(complete(&checkout["token"], "pm_1").await, (400, 5501));
    let checkout = prepared(&client, &cart).await;
    assert_eq!(complete(&checkout["token"], "pm_1").await, (200, 200));
    assert_eq!(complete(&checkout["token"], "pm_1").await, (400, 5493));
    let young = client
        .post(
            "/cart/update",
            json!({ "items": [bourbon(1)], "loc": { "address": { "city": "New York", "zip": "10005" } } }),
        )
        .await;
    let unverified =
        json!({ "cartId": young.body["cart"]["id"], "customer": { "email": "ada@example.com" } });
    let token = client.post("/checkout/prepare", unverified).await.body["data"]["token"].take();
    assert_eq!(complete(&token, "pm_1").await, (400, 5483));
}
