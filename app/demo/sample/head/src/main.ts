import { load } from "./config.ts";
import { Gateway } from "./gateway.ts";
import { createServer } from "./server.ts";
import { Store } from "./store.ts";

const config = load(process.env);
const server = createServer(new Store(config.databasePath), new Gateway(config.gatewayUrl));

server.listen(config.port, () => console.log(JSON.stringify({ event: "listening", port: config.port })));
process.once("SIGTERM", () => server.close());
