import http from "node:http";

import { BadRequest, readJson, sendJson } from "./http.ts";
import { parseNewOrder, placeOrder } from "./orders.ts";
import type { Store } from "./store.ts";

export function createServer(store: Store): http.Server {
  return http.createServer(async (request, response) => {
    try {
      await route(store, request, response);
    } catch (error) {
      if (error instanceof BadRequest) return sendJson(response, 400, { error: error.message });
      console.error(JSON.stringify({ event: "request_failed", path: request.url, error: String(error) }));
      sendJson(response, 500, { error: "internal error" });
    }
  });
}

async function route(store: Store, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const [, collection, id] = (request.url ?? "/").split("/");
  if (request.method === "POST" && collection === "orders" && !id) {
    const wanted = await readJson(request, parseNewOrder);
    return sendJson(response, 201, placeOrder(store, wanted));
  }
  if (request.method === "GET" && collection === "orders" && id) {
    const order = store.order(id);
    return order ? sendJson(response, 200, order) : sendJson(response, 404, { error: "no such order" });
  }
  sendJson(response, 404, { error: "no such route" });
}
