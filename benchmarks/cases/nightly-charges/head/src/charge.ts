import { setTimeout as pause } from "node:timers/promises";

import type { Charge, Gateway } from "./gateway.ts";
import type { Order } from "./orders.ts";
import type { Store } from "./store.ts";

const TRIES = 3;
const PAUSE_MS = 200;

/** Takes the order's money and marks it paid. */
export async function chargeOrder(store: Store, gateway: Gateway, order: Order, cardToken: string): Promise<Charge> {
  const charge = await withRetry(() => gateway.charge(order.id, order.totalCents, cardToken));
  store.setState(order.id, "paid");
  store.insertCharge(order.id, charge.chargeId);
  store.addEvent("order.paid", order.id);
  return charge;
}

async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === TRIES) throw error;
      await pause(PAUSE_MS * attempt);
    }
  }
}
