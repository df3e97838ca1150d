import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { Gateway } from "../src/gateway.ts";
import { createServer } from "../src/server.ts";
import { Store } from "../src/store.ts";

const store = new Store(":memory:");
const server = createServer(store, new Gateway("http://127.0.0.1:9"));
let root = "";

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());

function place(order: unknown): Promise<Response> {
  return fetch(`${root}/orders`, { method: "POST", body: JSON.stringify(order), signal: AbortSignal.timeout(5_000) });
}

test("an order is placed and can be read", async () => {
  const placed = await place({ customerId: "ada", totalCents: 1250 });
  assert.equal(placed.status, 201);
  const { id } = (await placed.json()) as { id: string };
  const read = await fetch(`${root}/orders/${id}`, { signal: AbortSignal.timeout(5_000) });
  assert.deepEqual(await read.json(), { id, customerId: "ada", totalCents: 1250, state: "placed" });
  assert.deepEqual(store.events().at(-1), { kind: "order.placed", orderId: id });
});

test("an order with an unknown field is refused", async () => {
  const refused = await place({ customerId: "ada", totalCents: 1250, state: "paid" });
  assert.equal(refused.status, 400);
});

test("an order without an amount is refused", async () => {
  assert.equal((await place({ customerId: "ada", totalCents: 0 })).status, 400);
});
