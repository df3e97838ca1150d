import type { IncomingMessage, ServerResponse } from "node:http";

const LARGEST_BODY_BYTES = 64 * 1024;

export class BadRequest extends Error {}

/** The body as text; anything larger than 64 KiB is refused before it is read to its end. */
export async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY_BYTES) throw new BadRequest("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The body as JSON that `parse` has accepted. */
export async function readJson<T>(request: IncomingMessage, parse: (value: unknown) => T): Promise<T> {
  const text = await readText(request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadRequest("the body is not JSON");
  }
  return parse(value);
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}
