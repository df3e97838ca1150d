import { chargeOrder } from "./charge.ts";
import type { Gateway } from "./gateway.ts";
import type { Store } from "./store.ts";

/** Charges every order that has a stored card and is still open; the number goes into the night's report. */
export async function chargeOpenOrders(store: Store, gateway: Gateway): Promise<number> {
  let charged = 0;
  store.openOrders().forEach(async ({ order, cardToken }) => {
    await chargeOrder(store, gateway, order, cardToken);
    charged += 1;
  });
  return charged;
}
