// Runs the vendor's SDK, as it is, through a whole shopping session.
//
// The SDK's environment `loc` is fixed to http://0.0.0.0:8000/api; only that origin is rewritten, to BASE_URL, on
// the way out. Every byte that the SDK receives is recorded, so that whoever runs this can search it for secrets.
//
// Environment:
//   BASE_URL          where the API or the proxy is, for example http://127.0.0.1:34567
//   API_KEY           optional: what the SDK sends as its key; a proxy takes any string
//   ORDERS_USER_ID    optional: what the SDK's orders client sends as its user
//   ORDERS_PASSWORD   optional: and as its password
//
// Prints {"steps": [{name, ok, detail}], "received": [{url, status, headers, body}]} and exits 1 when a step failed.

import assert from 'node:assert/strict';

const SDK_ORIGIN = 'http://0.0.0.0:8000';
const STEP_TIMEOUT_MS = 20_000;

const baseUrl = process.env.BASE_URL;
const apiKey = process.env.API_KEY ?? 'any-string';
const ordersUserId = process.env.ORDERS_USER_ID ?? 'any-user';
const ordersPassword = process.env.ORDERS_PASSWORD ?? 'any-password';

const steps = [];
const received = [];

// The SDK explains its failures on the console; stdout belongs to the report.
console.log = console.info = console.debug = console.error;

const realFetch = globalThis.fetch;
globalThis.fetch = async (target, init = {}) => {
  const url = String(target instanceof Request ? target.url : target);
  assert.ok(url.startsWith(`${SDK_ORIGIN}/`), `the SDK called ${url}`);
  const signal = AbortSignal.timeout(STEP_TIMEOUT_MS);
  const response = await realFetch(baseUrl + url.slice(SDK_ORIGIN.length), { ...init, signal });
  const body = await response.clone().text();
  const path = url.slice(SDK_ORIGIN.length);
  received.push({ url: path, status: response.status, headers: [...response.headers], body });
  return response;
};

async function step(name, run) {
  try {
    const detail = await run();
    steps.push({ name, ok: true, detail: detail ?? '' });
  } catch (error) {
    steps.push({ name, ok: false, detail: error?.message ?? String(error) });
    throw error;
  }
}

async function session() {
  // Imported here, because the SDK takes `fetch` as it finds it.
  const { LiquidCommerce, LiquidCommerceOrders } = await import('@liquidcommerce/cloud-sdk');
  const found = {};
  let client;

  await step('init', async () => {
    client = await LiquidCommerce(apiKey, { googlePlacesApiKey: 'places-key', env: 'loc' });
    const auth = await client.auth();
    assert.equal(auth.type, 'ACCESS_TOKEN');
    assert.ok(auth.token.length > 0, 'a token');
    assert.ok(auth.exp > Date.now(), `the token ends in the future: ${auth.exp}`);
  });

  await step('address.autocomplete', async () => {
    const { data } = await client.address.autocomplete({ input: '100 Main' });
    assert.ok(data.length > 0 && data.every(({ description }) => description.includes('Main')), JSON.stringify(data));
    found.place = data[0];
    return found.place.description;
  });

  await step('address.details', async () => {
    const { data } = await client.address.details({ id: found.place.id });
    assert.equal(data.formattedAddress, found.place.description);
    assert.ok(Math.abs(data.coords.lat) <= 90 && Math.abs(data.coords.long) <= 180);
    found.address = data.address;
    return data.formattedAddress;
  });

  await step('catalog.search', async () => {
    const answer = await client.catalog.search({
      search: 'bourbon',
      page: 1,
      perPage: 10,
      loc: { address: { ...found.address } },
      filters: [{ key: 'availability', values: 'IN_STOCK' }],
    });
    assert.ok(answer.products.length > 0, 'products');
    assert.ok(answer.products.every(({ name }) => /bourbon/i.test(name)));
    assert.equal(answer.navigation.totalCount, answer.products.length);
    found.product = answer.products[0];
    return found.product.name;
  });

  await step('catalog.availability', async () => {
    const upc = found.product.sizes[0].upc;
    const answer = await client.catalog.availability({ upcs: [upc], loc: { address: { ...found.address } } });
    assert.deepEqual(answer.products.map(({ id }) => id), [found.product.id]);
    found.variant = answer.products[0].sizes.find((size) => size.upc === upc).variants.find(({ stock }) => stock > 1);
    const retailer = answer.retailers.find(({ id }) => id === found.variant.retailerId);
    found.fulfillment = retailer.fulfillments.find(({ type }) => type === 'shipping').id;
    return `${found.variant.stock} in stock at ${retailer.name}`;
  });

  await step('cart.update creates', async () => {
    const { cart } = await client.cart.update({
      id: '',
      items: [{ partNumber: found.variant.partNumber, fulfillmentId: found.fulfillment, quantity: 1 }],
      loc: { address: { ...found.address } },
    });
    assert.equal(cart.items[0].partNumber, found.variant.partNumber);
    assert.equal(cart.subtotal, found.variant.price);
    found.cart = cart;
    return cart.id;
  });

  await step('cart.update changes', async () => {
    const { cart } = await client.cart.update({
      id: found.cart.id,
      items: [{ partNumber: found.variant.partNumber, fulfillmentId: found.fulfillment, quantity: 2 }],
      loc: { address: { ...found.address } },
    });
    assert.equal(cart.id, found.cart.id);
    assert.equal(cart.quantity, 2);
    assert.equal(cart.subtotal, 2 * found.variant.price);
  });

  await step('cart.get with refresh', async () => {
    const { cart, auth } = await client.cart.get(found.cart.id, true);
    assert.equal(cart.id, found.cart.id);
    assert.equal(cart.items[0].quantity, 2);
    assert.equal(auth.type, 'ACCESS_TOKEN');
    assert.ok(auth.token.length > 0 && auth.exp > Date.now(), 'the answer bears a new token');
  });

  await step('user.session', async () => {
    const { data } = await client.user.session({ email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace' });
    assert.equal(data.email, 'ada@example.com');
    found.user = data.id;
    return data.id;
  });

  await step('user.addAddress', async () => {
    const { data } = await client.user.addAddress({
      customerId: found.user,
      type: 'shipping',
      ...found.address,
      isDefault: true,
    });
    assert.equal(data.zip, found.address.zip);
  });

  await step('user.addPayment', async () => {
    const { data } = await client.user.addPayment({ customerId: found.user, paymentMethodId: 'pm_card_visa' });
    assert.equal(data.id, 'pm_card_visa');
  });

  await step('user.fetch', async () => {
    const { data } = await client.user.fetch(found.user);
    assert.equal(data.firstName, 'Ada');
    assert.deepEqual(data.addresses.map(({ one }) => one), [found.address.one]);
    assert.deepEqual(data.savedPayments.map(({ id }) => id), ['pm_card_visa']);
  });

  await step('checkout.prepare', async () => {
    const { data } = await client.checkout.prepare({
      cartId: found.cart.id,
      customer: { id: found.user, email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace', phone: '2125550100' },
      hasAgeVerify: true,
      billingSameAsShipping: true,
      deliveryTips: [{ fulfillmentId: found.fulfillment, tip: 500 }],
    });
    assert.equal(data.cartId, found.cart.id);
    assert.equal(data.amounts.subtotal, 2 * found.variant.price);
    assert.ok(data.amounts.total > data.amounts.subtotal, 'tax and tip are in the total');
    found.checkout = data;
    return `total ${data.amounts.total}`;
  });

  await step('checkout.complete', async () => {
    const { data } = await client.checkout.complete({ token: found.checkout.token, payment: 'pm_card_visa' });
    assert.ok(data.order.referenceId && data.order.legacyOrderNumber);
    found.order = data.order;
    return data.order.referenceId;
  });

  await step('an error has a message and a code', async () => {
    await assert.rejects(
      client.checkout.complete({ token: found.checkout.token, payment: 'pm_card_visa' }),
      ({ status, statusCode, message }) => status === 400 && statusCode === 5493 && /already been processed/.test(message),
    );
  });

  await step('webhook.test', async () => {
    assert.equal(await client.webhook.test('https://example.com/hook'), true);
  });

  await step('user.purge', async () => {
    const { data } = await client.user.purge(found.user);
    assert.equal(data.deleted, true);
    await assert.rejects(client.user.fetch(found.user), ({ status }) => status === 404);
  });

  let orders;
  await step('orders init', async () => {
    orders = await LiquidCommerceOrders({ userID: ordersUserId, password: ordersPassword, env: 'loc' });
  });

  await step('order.fetch', async () => {
    const { data } = await orders.order.fetch(found.order.referenceId);
    assert.equal(data.referenceId, found.order.referenceId);
    assert.equal(data.amounts.total, found.checkout.amounts.total);
    assert.equal(data.items[0].pricing.quantity, 2);
    found.createdAt = data.createdAt;
    return data.legacyOrderNumber;
  });

  await step('order.list', async () => {
    const day = found.createdAt.slice(0, 10);
    const { data } = await orders.order.list({ startDate: day, endDate: day, page: 1, limit: 50 });
    assert.ok(data.orders.some(({ referenceId }) => referenceId === found.order.referenceId), 'the order is listed');
    return `${data.total} orders`;
  });
}

if (!baseUrl) {
  console.error('BASE_URL is not set');
  process.exitCode = 1;
} else {
  try {
    await session();
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  process.stdout.write(`${JSON.stringify({ steps, received }, null, 1)}\n`);
}
