export interface Charge {
  chargeId: string;
}

/** The payment gateway. A charge is made once for each call; calls carry no key that would tell a repeated one. */
export interface Gateway {
  charge(orderId: string, amountCents: number, cardToken: string): Promise<Charge>;
}
