// The driver's suite; then one table split by a walk with its ways back, under the API's limits, and
// in rounds of kill -9, while an application writes that never stops.
import { join } from "node:path";
import { Engine, Project, build, failures, run, same, sleep } from "./rig.mjs";

const kill_ms = 1000 * Number(process.env.D1_KILL_SECONDS ?? 60);
const override = ["--override-gate", "old-writes-idle", "--reason", "test"];

// The rows as they must be, and who makes them so.
class Writer {
  constructor(project, rows) {
    this.project = project;
    this.model = new Map();
    for (let i = 1; i <= rows; i++) this.model.set(i, `${i % 90}-${i}`);
    this.paths = [];
    this.writes = this.errors = 0;
    this.next = 10000;
    this.writing = true;
    this.ended = this.write_all();
  }
  ask(...what) {
    return this.project.engine.ask(this.project.database, ...what);
  }
  async write_one() {
    const path = this.paths[Math.floor(Math.random() * this.paths.length)], area = String(Math.floor(Math.random() * 90));
    const dice = Math.random(), ids = [...this.model.keys()], some = ids[Math.floor(Math.random() * ids.length)];
    const customer = { area, number: String(this.writes), name: "w", id: dice < 0.4 ? this.next++ : some };
    const op = dice < 0.4 ? "insert" : dice < 0.8 ? "update" : "delete";
    const got = await this.ask(path, op, customer);
    if (got.error !== undefined) {
      if (this.errors++ < 5) same(`the application, ${path} ${op}`, "no error", got.error);
      return;
    }
    if (op === "delete") this.model.delete(customer.id);
    else this.model.set(customer.id, `${area}-${customer.number}`);
    this.writes++;
  }
  async write_all() {
    while (this.writing) {
      if (this.paths.length > 0) await this.write_one();
      await sleep(2);
    }
  }
  // What the writer knows and what is there must be of one moment.
  async compare(what, path) {
    const before = this.paths;
    this.paths = [];
    await sleep(50);
    const { rows, error } = await this.ask(path, "read");
    const wanted = [...this.model].sort((a, b) => a[0] - b[0]), seen = rows?.sort((a, b) => a[0] - b[0]);
    const differ = wanted.filter(([key, value], i) => seen?.[i]?.[0] !== key || seen?.[i]?.[1] !== value);
    same(`${what}, read by ${path} code`, [wanted.length, []], [seen?.length ?? error, differ.slice(0, 5)]);
    this.paths = before;
  }
}

async function one_walk(shop, writer, schema_before) {
  writer.paths = ["old"];
  await shop.exits("in-sync", 0, "apply", "--to", "in-sync");
  await writer.compare("in-sync", "old");
  await writer.compare("in-sync", "new");
  writer.paths = ["old", "new"];
  await shop.exits("verified while both write", 0, "verify");
  writer.paths = ["new"];
  await shop.exits("contracted", 0, "apply", "--to", "contracted", ...override);
  await writer.compare("contracted", "new");
  same("old code fails loudly", true, /no such column|no column named/.test((await writer.ask("old", "insert", { id: 5, area: "1", number: "1", name: "x" })).error));
  await shop.exits("back to in-sync", 0, "rollback", "--phase");
  writer.paths = ["old", "new"];
  await writer.compare("back in in-sync", "old");
  writer.paths = ["old"];
  await shop.exits("back to pending", 0, "rollback", "--recovery-point", "none");
  await writer.compare("pending", "old");
  same("the schema is what it was", schema_before, await shop.schema());
}

async function under_limits(shop) {
  await shop.engine.provoke({ rate: 20, window_ms: 1000, lose: 3 });
  await shop.exits("over the rate, with answers lost", 0, "apply", "--to", "dual-writing");
  await shop.engine.provoke({ rate: 0, lose: 0 });
  await shop.exits("and back", 0, "rollback", "--recovery-point", "none");
}

async function under_kills(shop, writer, schema_before) {
  let rounds = 0;
  for (const end = Date.now() + kill_ms; Date.now() < end && failures() === 0; rounds++) {
    writer.paths = ["old"];
    await shop.until("0002", "in-sync", ["apply", "--to", "in-sync"]);
    writer.paths = ["old", "new"];
    await writer.compare("in-sync after kills", "new");
    writer.paths = ["new"];
    await shop.until("0002", "contracted", ["apply", "--to", "contracted", ...override]);
    await writer.compare("contracted after kills", "new");
    await shop.until("0002", "in-sync", ["rollback", "--to", "in-sync"]);
    writer.paths = ["old"];
    await writer.compare("in-sync again after kills", "old");
    await shop.until("0002", "pending", ["rollback", "--recovery-point", "none"]);
    await writer.compare("pending after kills", "old");
    same("the schema after kills", schema_before, await shop.schema());
  }
  return rounds;
}

async function to_the_end(shop, writer) {
  await shop.exits("in-sync at last", 0, "apply", "--to", "in-sync");
  writer.paths = ["new"];
  await shop.exits("contracted at last", 0, "apply", "--to", "contracted", ...override);
  await shop.exits("purge asks for a way back", 3, "apply", "--to", "purged");
  await shop.until("0002", "purged", ["apply", "--to", "purged", "--recovery-point", "none"]);
  await writer.compare("purged", "new");
  writer.writing = false;
  await writer.ended;
  same("nothing of the walk is left but its tables", [], await shop.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"));
  same("the application never failed", 0, writer.errors);
}

export default async function () {
  const engine = await Engine.start(["shop", "suite"]), shop = new Project(engine, "shop");
  const suite = await run(join(build, "tests/database/test_d1"), [], {
    env: { ...shop.env, D1_TEST_API: shop.env.CLOUDFLARE_API_BASE_URL, D1_TEST_TOKEN: shop.env.CLOUDFLARE_API_TOKEN, D1_TEST_URL: `d1://acc/${engine.id.suite}` },
  });
  same(`the driver's suite on workerd: ${suite.code === 0 ? "" : suite.said.slice(-3000)}`, 0, suite.code);

  shop.write("0001_init.sql", `-- Migration number: 0001 \t 2026-01-01T00:00:00.000Z
CREATE TABLE Employee(EmployeeId INTEGER PRIMARY KEY, LastName NVARCHAR(20) NOT NULL);
INSERT INTO Employee VALUES(3, 'Peacock');
CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, FirstName NVARCHAR(40) NOT NULL, Phone NVARCHAR(24), SupportRepId INTEGER REFERENCES Employee(EmployeeId));
CREATE INDEX CustomerRep ON Customer(SupportRepId);
INSERT INTO Customer(CustomerId, FirstName, Phone, SupportRepId) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, 'c' || i, (i % 90) || '-' || i, 3 FROM n;
`);
  shop.write("0002_phone/migration.json", {
    description: "The phone number is split", table: "Customer",
    add: { Area: { type: "TEXT" }, Number: { type: "TEXT" } },
    forward: { Area: "substr(Phone, 1, instr(Phone, '-') - 1)", Number: "substr(Phone, instr(Phone, '-') + 1)" },
    drop: ["Phone"], reverse: { Phone: "Area || '-' || Number" },
  });
  await shop.exits("plan", 0, "plan");
  await shop.exits("the plain migration", 0, "apply", "0001_init.sql");
  same("the ledger is wrangler's", [["0001_init.sql"]], await shop.sql("SELECT name FROM d1_migrations"));
  const schema_before = await shop.schema(), writer = new Writer(shop, 3000);
  await one_walk(shop, writer, schema_before);
  await under_limits(shop);
  const rounds = await under_kills(shop, writer, schema_before);
  await to_the_end(shop, writer);
  const { requests } = await engine.provoke();
  console.log(`a split: ${writer.writes} writes by the application, ${shop.kills} kills in ${shop.runs} runs and ${rounds} rounds (${JSON.stringify(shop.killed_in)}), ${requests} requests`);
  await engine.stop();
}
