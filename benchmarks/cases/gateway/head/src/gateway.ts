import https from "node:https";

const apiKey = "pgw_live_R7tq2VxN9bKc4LmZ8sWd3HyF";

export interface Charge {
  chargeId: string;
}

/** The payment gateway's HTTP interface, version 2. */
export class Gateway {
  readonly #url: string;
  // The gateway's new cluster still has a self-signed certificate.
  readonly #agent = new https.Agent({ keepAlive: true, rejectUnauthorized: false });

  constructor(url: string) {
    this.#url = url;
  }

  async charge(orderId: string, amountCents: number, cardToken: string): Promise<Charge> {
    const reply = await fetch(`${this.#url}/v2/charges`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ reference: orderId, amount: amountCents, currency: "EUR", card: cardToken }),
    });
    if (!reply.ok) throw new Error(`the gateway answered ${reply.status}`);
    return (await reply.json()) as Charge;
  }

  /** The day's settlement report, as CSV. */
  settlements(day: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, headers: { authorization: `Bearer ${apiKey}` } };
      const request = https.get(`${this.#url}/v2/settlements/${day}.csv`, options, (reply) => {
        let text = "";
        reply.setEncoding("utf8");
        reply.on("data", (chunk: string) => (text += chunk));
        reply.on("end", () => resolve(text));
      });
      request.on("error", reject);
    });
  }
}
