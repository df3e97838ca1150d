import { DatabaseSync } from "node:sqlite";

import type { Order, OrderState } from "./orders.ts";

const SCHEMA = `
  create table if not exists orders (
    id text primary key,
    customer_id text not null,
    total_cents integer not null check (total_cents > 0),
    state text not null check (state in ('placed', 'paid', 'cancelled'))
  );
  create table if not exists outbox (
    position integer primary key autoincrement,
    kind text not null,
    order_id text not null references orders (id),
    published integer not null default 0
  );
  create table if not exists charges (
    order_id text primary key references orders (id),
    charge_id text not null
  );
  create table if not exists cards (
    customer_id text primary key,
    token text not null
  );
`;

interface OrderRow {
  id: string;
  customer_id: string;
  total_cents: number;
  state: OrderState;
}

export interface OutboxEvent {
  kind: string;
  orderId: string;
}

export interface OpenOrder {
  order: Order;
  cardToken: string;
}

/** Orders and their outbox, in one SQLite file. Every change goes through `transaction`. */
export class Store {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(SCHEMA);
  }

  transaction<T>(work: () => T): T {
    this.#database.exec("begin immediate");
    try {
      const result = work();
      this.#database.exec("commit");
      return result;
    } catch (error) {
      this.#database.exec("rollback");
      throw error;
    }
  }

  insertOrder(order: Order): void {
    this.#database
      .prepare("insert into orders (id, customer_id, total_cents, state) values (?, ?, ?, ?)")
      .run(order.id, order.customerId, order.totalCents, order.state);
  }

  setState(id: string, state: OrderState): void {
    this.#database.prepare("update orders set state = ? where id = ?").run(state, id);
  }

  addEvent(kind: string, orderId: string): void {
    this.#database.prepare("insert into outbox (kind, order_id) values (?, ?)").run(kind, orderId);
  }

  order(id: string): Order | undefined {
    const row = this.#database.prepare("select * from orders where id = ?").get(id) as OrderRow | undefined;
    return row && { id: row.id, customerId: row.customer_id, totalCents: row.total_cents, state: row.state };
  }

  insertCharge(orderId: string, chargeId: string): void {
    this.#database.prepare("insert into charges (order_id, charge_id) values (?, ?)").run(orderId, chargeId);
  }

  saveCard(customerId: string, token: string): void {
    this.#database.prepare("insert or replace into cards (customer_id, token) values (?, ?)").run(customerId, token);
  }

  openOrders(): OpenOrder[] {
    const rows = this.#database
      .prepare("select * from orders join cards using (customer_id) where state = 'placed' order by id limit 500")
      .all();
    return (rows as unknown as (OrderRow & { token: string })[]).map((row) => ({
      order: { id: row.id, customerId: row.customer_id, totalCents: row.total_cents, state: row.state },
      cardToken: row.token,
    }));
  }

  events(): OutboxEvent[] {
    const rows = this.#database.prepare("select kind, order_id from outbox order by position").all();
    return (rows as { kind: string; order_id: string }[]).map((row) => ({ kind: row.kind, orderId: row.order_id }));
  }
}
