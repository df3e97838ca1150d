export interface Charge {
  chargeId: string;
}

/** Stands in for the payment gateway until its interface is ready. */
export class Gateway {
  async charge(orderId: string, amountCents: number, cardToken: string): Promise<Charge> {
    if (amountCents <= 0 || cardToken === "") throw new Error(`nothing to charge for ${orderId}`);
    return { chargeId: `pending-${orderId}` };
  }
}
