import { randomUUID } from "node:crypto";

import { BadRequest } from "./http.ts";
import type { Store } from "./store.ts";

export type OrderState = "placed" | "paid" | "cancelled";

export interface Order {
  id: string;
  customerId: string;
  totalCents: number;
  state: OrderState;
}

export interface NewOrder {
  customerId: string;
  totalCents: number;
}

const LARGEST_TOTAL_CENTS = 10_000_000;

export function parseNewOrder(value: unknown): NewOrder {
  if (typeof value !== "object" || value === null) throw new BadRequest("an order is an object");
  const { customerId, totalCents, ...rest } = value as Record<string, unknown>;
  if (Object.keys(rest).length > 0) throw new BadRequest(`unknown fields: ${Object.keys(rest).join(", ")}`);
  if (typeof customerId !== "string" || !/^[\w-]{1,64}$/.test(customerId)) throw new BadRequest("customerId is missing");
  if (!Number.isInteger(totalCents) || (totalCents as number) < 1 || (totalCents as number) > LARGEST_TOTAL_CENTS) {
    throw new BadRequest("totalCents is not an amount");
  }
  return { customerId, totalCents: totalCents as number };
}

export function placeOrder(store: Store, wanted: NewOrder): Order {
  const order: Order = { id: randomUUID(), ...wanted, state: "placed" };
  store.transaction(() => {
    store.insertOrder(order);
    store.addEvent("order.placed", order.id);
  });
  return order;
}

export function cancelOrder(store: Store, id: string): void {
  store.transaction(() => {
    store.setState(id, "cancelled");
    store.addEvent("order.cancelled", id);
  });
}
