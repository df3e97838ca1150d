import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { Gateway } from "../src/gateway.ts";
import { placeOrder } from "../src/orders.ts";
import { createServer } from "../src/server.ts";
import { Store } from "../src/store.ts";

const store = new Store(":memory:");
const charged: unknown[] = [];
const bank = http.createServer(async (request, response) => {
  const chunks = await request.toArray();
  charged.push(JSON.parse(Buffer.concat(chunks).toString("utf8")));
  response.end(JSON.stringify({ chargeId: `ch_${charged.length}` }));
});
let server: http.Server;
let root = "";

async function listen(one: http.Server): Promise<string> {
  await new Promise<void>((resolve) => one.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(one.address() as AddressInfo).port}`;
}

before(async () => {
  server = createServer(store, new Gateway(await listen(bank)));
  root = await listen(server);
});
after(() => {
  server.close();
  bank.close();
});

test("an order is charged and marked paid", async () => {
  const order = placeOrder(store, { customerId: "ada", totalCents: 1250 });
  const reply = await fetch(`${root}/orders/${order.id}/charge`, {
    method: "POST",
    body: JSON.stringify({ cardToken: "card_ada" }),
    signal: AbortSignal.timeout(5_000),
  });
  assert.deepEqual(await reply.json(), { chargeId: "ch_1" });
  assert.deepEqual(charged, [{ reference: order.id, amount: 1250, currency: "EUR", card: "card_ada" }]);
  assert.equal(store.order(order.id)?.state, "paid");
});
