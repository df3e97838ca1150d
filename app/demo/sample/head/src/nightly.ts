import { chargeOrder } from "./charge.ts";
import { load } from "./config.ts";
import { Gateway } from "./gateway.ts";
import { Store } from "./store.ts";

/** Charges every order that has a stored card and is still open; the number goes into the night's report. */
export async function chargeOpenOrders(store: Store, gateway: Gateway): Promise<number> {
  let charged = 0;
  store.openOrders().forEach(async ({ order, cardToken }) => {
    await chargeOrder(store, gateway, order, cardToken);
    charged += 1;
  });
  return charged;
}

if (import.meta.main) {
  const config = load(process.env);
  const charged = await chargeOpenOrders(new Store(config.databasePath), new Gateway(config.gatewayUrl));
  console.log(JSON.stringify({ event: "nightly_done", charged }));
}
