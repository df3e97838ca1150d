import http from "node:http";

import { chargeOrder } from "./charge.ts";
import type { Gateway } from "./gateway.ts";
import { BadRequest, readJson, readText, sendJson } from "./http.ts";
import { parseNewOrder, placeOrder } from "./orders.ts";
import type { Store } from "./store.ts";

export function createServer(store: Store, gateway: Gateway): http.Server {
  return http.createServer(async (request, response) => {
    try {
      await route(store, gateway, request, response);
    } catch (error) {
      if (error instanceof BadRequest) return sendJson(response, 400, { error: error.message });
      console.error(JSON.stringify({ event: "request_failed", path: request.url, error: String(error) }));
      sendJson(response, 500, { error: "internal error" });
    }
  });
}

async function route(
  store: Store,
  gateway: Gateway,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const [, collection, id, action] = (request.url ?? "/").split("/");
  if (request.method === "POST" && collection === "orders" && !id) {
    const wanted = await readJson(request, parseNewOrder);
    return sendJson(response, 201, placeOrder(store, wanted));
  }
  if (request.method === "POST" && collection === "orders" && id && action === "charge") {
    const body = JSON.parse(await readText(request));
    const order = store.order(id);
    if (!order) return sendJson(response, 404, { error: "no such order" });
    if (body.remember) store.saveCard(order.customerId, body.cardToken);
    return sendJson(response, 200, await chargeOrder(store, gateway, order, body.cardToken));
  }
  if (request.method === "GET" && collection === "orders" && id) {
    const order = store.order(id);
    return order ? sendJson(response, 200, order) : sendJson(response, 404, { error: "no such order" });
  }
  sendJson(response, 404, { error: "no such route" });
}
