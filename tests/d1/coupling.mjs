// A Worker that writes all the time and asks the flag over OFREP (npm), a real flag-server, and
// `migrate` on workerd: the walk, the ramp by customer, contract, the ways back and purge. Nothing is
// lost, no request fails, and neither flag nor schema gets ahead of the other.
import { join } from "node:path";
import { Server } from "../ofrep/rig.mjs";
import { Engine, Project, build, here, load, matches, run, same, sleep } from "./rig.mjs";

const flag = "log-by-domain", domains = ["acme.com", "globex.com", "initech.com"];

function bundle() {
  const { outputFiles } = load("esbuild").buildSync({
    entryPoints: [join(here, "logger_worker.mjs")], bundle: true, format: "esm", write: false, external: ["node:*"], alias: { events: "node:events", async_hooks: "node:async_hooks" },
    nodePaths: [join(load.resolve("esbuild"), "../../..")], conditions: ["workerd", "import"], logLevel: "error",
  });
  return [{ type: "ESModule", path: "logger_worker.mjs", contents: outputFiles[0].text }];
}

// Four that never stop: each event is a new row or a change of one, and reads one that was written.
class Logger {
  constructor(worker) {
    this.worker = worker;
    this.model = new Map();
    this.next = 1;
    this.errors = this.odd = 0;
    this.seen = {};
    this.writing = true;
    this.ended = Promise.all([0, 1, 2, 3].map((who) => this.log_all(who)));
  }
  async log_one(who, mine) {
    const domain = domains[Math.floor(Math.random() * domains.length)], change = mine.length > 5 && Math.random() < 0.4;
    const id = change ? mine[Math.floor(Math.random() * mine.length)] : this.next++;
    const event = { id, what: `event ${id}`, mailbox: `m${Math.floor(Math.random() * 10000)}`, domain };
    const read = mine.length > 0 ? mine[Math.floor(Math.random() * mine.length)] : undefined, wanted = this.model.get(read);
    const got = await (await this.worker.fetch("http://logger/", { method: "POST", body: JSON.stringify({ event, change, read }) })).json();
    if (got.error !== undefined || got.code !== undefined) {
      if (this.errors++ < 3) same("the logger", "no error", got);
      return;
    }
    if (read !== undefined && got.seen !== wanted && this.odd++ < 3) same(`event ${read}, read on the ${got.path} path`, wanted, got.seen);
    this.model.set(id, `${event.mailbox}@${domain}`);
    if (!change) mine.push(id);
    const key = `${domain} ${got.path}`;
    this.seen[key] = (this.seen[key] ?? 0) + 1;
  }
  async log_all(who) {
    for (const mine = []; this.writing;) {
      await this.log_one(who, mine); // each changes its own rows alone, so the model is exact
      await sleep(4);
    }
  }
  // What was answered in the next while, by domain and path.
  async paths(ms = 600) {
    await sleep(150); // what was asked before has been answered
    this.seen = {};
    await sleep(ms);
    return Object.keys(this.seen).sort();
  }
  writes() {
    return this.model.size;
  }
}

async function flags(server, what, code, ...args) {
  const got = await run(join(build, "flags"), args, { env: { LOCKSTEP_URL: server.url, LOCKSTEP_TOKEN: server.admin } });
  same(`${what}: ${got.code === code ? "" : got.said}`, code, got.code);
  return got.said;
}

const all_on = (path) => domains.map((domain) => `${domain} ${path}`);
const accept = (client) => ["--accept-stale", client, "--reason", "each event asks anew"];

async function forward(shop, server, logger) {
  await shop.exits("expand ties the flag", 0, "apply", "--to", "expanded");
  matches("the flag waits for the schema", /0002_domain/, await flags(server, "ramp before in-sync", 3, "ramp", flag, "--to", "100%"));
  same("all on the old path", all_on("old"), await logger.paths());
  await shop.exits("in-sync", 0, "apply", "--to", "in-sync");
  await flags(server, "one customer", 0, "ramp", flag, "--domain", "acme.com", "--to", "100%");
  same("that one is on the new path", ["acme.com new", "globex.com old", "initech.com old"], await logger.paths());
  await shop.exits("verified while both write", 0, "verify");
  matches("contract waits for the flag", /flag-on-everywhere/, await shop.exits("not everybody is over", 3, "apply", "--to", "contracted"));
  await flags(server, "half of the others", 0, "ramp", flag, "--to", "50%");
  same("both paths within a domain", true, (await logger.paths(1500)).length === 5);
  await flags(server, "everybody", 0, "ramp", flag, "--to", "100%");
  same("all on the new path", all_on("new"), await logger.paths());
}

// Contract names who might go on with an old answer, and is told that this client does not.
async function contract(shop) {
  const said = await shop.exits("a client without a lease", 3, "apply", "--to", "contracted");
  matches("it is named", /no-client-without-lease/, said);
  const client = /old answer: ([^(]+) \(ofrep/.exec(said)?.[1] ?? "nobody";
  await shop.exits("contract", 0, "apply", "--to", "contracted", "--wait", "30s", ...accept(client));
  return client;
}

export default async function () {
  const server = await Server.start();
  const token = await server.token("sdk-client");
  const engine = await Engine.start(["events"], [{
    name: "logger", modules: bundle(), compatibilityFlags: ["nodejs_compat"], bindings: { FLAGS: server.url, FLAGS_TOKEN: token, FLAG: flag },
  }]);
  const shop = new Project(engine, "events", { LOCKSTEP_FLAG_SERVER: server.url, LOCKSTEP_TOKEN: server.admin, LOCKSTEP_ENVIRONMENT: "test" });
  shop.write("0001_event.sql", "CREATE TABLE Event(EventId INTEGER PRIMARY KEY, What TEXT NOT NULL, Reporter TEXT);\n");
  shop.write("0002_domain/migration.json", {
    description: "Events are found by the reporter's domain", table: "Event", add: { Mailbox: { type: "TEXT" }, Domain: { type: "TEXT" } },
    forward: { Mailbox: "substr(Reporter, 1, instr(Reporter, '@') - 1)", Domain: "substr(Reporter, instr(Reporter, '@') + 1)" },
    drop: ["Reporter"], reverse: { Reporter: "Mailbox || '@' || Domain" }, create_index: ["CREATE INDEX EventDomain ON Event(Domain)"],
    flag, old_writes_idle: "2s",
  });
  await flags(server, "the flag", 0, "create", flag);
  await flags(server, "it is on, for nobody", 0, "on", flag);
  await shop.exits("the table", 0, "apply", "0001");
  const logger = new Logger(await engine.mf.getWorker("logger"));
  await forward(shop, server, logger);
  const client = await contract(shop);
  matches("the flag cannot go back now", /0002_domain/, await flags(server, "off", 3, "off", flag));
  await flags(server, "nor for one customer", 3, "ramp", flag, "--domain", "acme.com", "--to", "0%");
  same("all stay on the new path", all_on("new"), await logger.paths());
  await shop.exits("back to in-sync", 0, "rollback", "--to", "in-sync");
  matches("further back waits for the flag", /flags off/, await shop.exits("the flag is on", 3, "rollback", ...accept(client)));
  await flags(server, "off", 0, "off", flag);
  same("all on the old path again", all_on("old"), await logger.paths());
  await shop.exits("back to pending", 0, "rollback", "--recovery-point", "none", ...accept(client));
  await flags(server, "on is refused on the old schema", 3, "on", flag);
  await shop.exits("forward again", 0, "apply", "--to", "in-sync");
  await flags(server, "on", 0, "on", flag);
  same("all on the new path again", all_on("new"), await logger.paths());
  await shop.exits("contract again", 0, "apply", "--to", "contracted", "--wait", "30s", ...accept(client));
  await shop.exits("purge", 0, "apply", "--to", "purged", "--wait", "30s", "--recovery-point", "none", ...accept(client));
  same("and stay there", all_on("new"), await logger.paths());
  logger.writing = false;
  await logger.ended;
  const rows = await shop.sql("SELECT EventId, Mailbox || '@' || Domain FROM Event ORDER BY 1");
  const wanted = [...logger.model].sort((a, b) => a[0] - b[0]);
  same("every event is there, as it was written last", [], wanted.filter(([id, reporter], i) => rows[i]?.[0] !== id || rows[i][1] !== reporter).slice(0, 5));
  same("and no other", wanted.length, rows.length);
  same("no request failed, none read anything odd", [0, 0], [logger.errors, logger.odd]);
  console.log(`a logger that asks its flag over OFREP: ${wanted.length} events, ${logger.errors} errors`);
  await engine.stop();
  await server.stop();
}
