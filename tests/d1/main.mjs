// `migrate` and the driver against D1's own engine (workerd): node main.mjs BUILD CLIENTS WORK
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [build, clients, work] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const { Miniflare, Log, LogLevel } = await import(createRequire(join(clients, "x.js")).resolve("miniflare"));
const token = "a-token-of-the-test", id = "00000000-0000-4000-8000-000000000001";
const kill_ms = 1000 * Number(process.env.D1_KILL_SECONDS ?? 60);
let passed = 0, failed = 0;

function same(what, expected, seen) {
  if (JSON.stringify(expected) === JSON.stringify(seen)) {
    passed++;
    return;
  }
  failed++;
  console.log(`FAIL ${what}\n  expected: ${JSON.stringify(expected)}\n  seen:     ${JSON.stringify(seen)?.slice(0, 2000)}`);
}

// ---- the engine, its API and the application ----

const worker = (name) => [{ type: "ESModule", path: `${name}.mjs`, contents: readFileSync(join(here, `${name}.mjs`), "utf8") }];
const common = { compatibilityDate: "2026-01-01", d1Databases: { DB: id } };
const mf = new Miniflare({
  handleRuntimeStdio: (out, err) => [out, err].forEach((stream) => stream.resume()), // it tells of each client that was killed
  cf: false, host: "127.0.0.1", port: 0, log: new Log(LogLevel.ERROR), d1Persist: join(work, "d1"),
  workers: [
    { name: "api", modules: worker("api_worker"), bindings: { TOKEN: token, ID: id, NAME: "shop" }, ...common },
    { name: "app", modules: worker("app_worker"), ...common },
  ],
});
const origin = (await mf.ready).href;
const app = await mf.getWorker("app");
const ask = async (path, op, customer) => (await app.fetch("http://app/", { method: "POST", body: JSON.stringify({ path, op, customer }) })).json();
const sql = async (text) => (await ask("", "sql", text)).rows;
const provoke = async (what) => (await fetch(`${origin}test`, { method: "POST", body: JSON.stringify(what) })).json();

// ---- programs ----

const surroundings = {
  ...process.env, CLOUDFLARE_API_TOKEN: token, CLOUDFLARE_API_BASE_URL: `${origin}client/v4`,
  LOCKSTEP_DATABASE: `d1://acc/${id}`, LOCKSTEP_MIGRATIONS: join(work, "migrations"), LOCKSTEP_D1_TOKEN: "",
  D1_TEST_API: `${origin}client/v4`, D1_TEST_TOKEN: token, D1_TEST_URL: `d1://acc/${id}`,
};
function run(program, args, kill_after) {
  return new Promise((end) => {
    const child = spawn(join(build, program), args, { env: surroundings });
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (said += data));
    const timer = kill_after === undefined ? null : setTimeout(() => child.kill("SIGKILL"), kill_after);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      end({ code, killed: signal === "SIGKILL", said });
    });
  });
}
const migrate = (...args) => run("migrate", args);
async function exits(what, code, ...args) {
  const got = await migrate(...args);
  same(`${what}: ${got.said.slice(-600)}`, code, got.code);
  return got.said;
}
async function state() {
  const { said } = await migrate("status", "--json");
  return JSON.parse(said).migrations.find((m) => m.migration?.startsWith("0002") || m.name?.startsWith("0002")).state;
}

// ---- the driver's suite ----

const suite = await run("tests/database/test_d1", []);
same(`the driver's suite on workerd: ${suite.code === 0 ? "" : suite.said.slice(-3000)}`, 0, suite.code);

// ---- a project as wrangler makes it, and a writer that never stops ----

mkdirSync(join(work, "migrations/0002_phone"), { recursive: true });
writeFileSync(join(work, "migrations/0001_init.sql"), `-- Migration number: 0001 \t 2026-01-01T00:00:00.000Z
CREATE TABLE Employee(EmployeeId INTEGER PRIMARY KEY, LastName NVARCHAR(20) NOT NULL);
INSERT INTO Employee VALUES(3, 'Peacock');
CREATE TABLE Customer(CustomerId INTEGER PRIMARY KEY, FirstName NVARCHAR(40) NOT NULL, Phone NVARCHAR(24), SupportRepId INTEGER REFERENCES Employee(EmployeeId));
CREATE INDEX CustomerRep ON Customer(SupportRepId);
INSERT INTO Customer(CustomerId, FirstName, Phone, SupportRepId) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i, 'c' || i, (i % 90) || '-' || i, 3 FROM n;
`);
writeFileSync(join(work, "migrations/0002_phone/migration.json"), JSON.stringify({
  description: "The phone number is split", table: "Customer",
  add: { Area: { type: "TEXT" }, Number: { type: "TEXT" } },
  forward: { Area: "substr(Phone, 1, instr(Phone, '-') - 1)", Number: "substr(Phone, instr(Phone, '-') + 1)" },
  drop: ["Phone"], reverse: { Phone: "Area || '-' || Number" },
}));

const model = new Map();
for (let i = 1; i <= 3000; i++) model.set(i, `${i % 90}-${i}`);
let paths = [], writing = true, writes = 0, next = 10000, errors = 0;
async function write_one() {
  const path = paths[Math.floor(Math.random() * paths.length)], area = String(Math.floor(Math.random() * 90));
  const dice = Math.random(), ids = [...model.keys()], some = ids[Math.floor(Math.random() * ids.length)];
  const customer = { area, number: String(writes), name: "w", id: dice < 0.4 ? next++ : some };
  const op = dice < 0.4 ? "insert" : dice < 0.8 ? "update" : "delete";
  const got = await ask(path, op, customer);
  if (got.error !== undefined) {
    if (errors++ < 5) same(`the application, ${path} ${op}`, "no error", got.error);
    return;
  }
  if (op === "delete") model.delete(customer.id);
  else model.set(customer.id, `${area}-${customer.number}`);
  writes++;
}
async function write_all() {
  while (writing) {
    if (paths.length > 0) await write_one();
    await new Promise((wake) => setTimeout(wake, 2));
  }
}
let idle = null;
async function pause_and(what) { // what the writer knows and what is there must be of one moment
  const before = paths;
  paths = [];
  await new Promise((wake) => setTimeout(wake, 50));
  await what();
  paths = before;
}
const compare = (what, path) => pause_and(async () => {
  const { rows, error } = await ask(path, "read");
  const wanted = [...model].sort((a, b) => a[0] - b[0]), seen = rows?.sort((a, b) => a[0] - b[0]);
  const differ = wanted.filter(([key, value], i) => seen?.[i]?.[0] !== key || seen?.[i]?.[1] !== value);
  same(`${what}, read by ${path} code`, [wanted.length, []], [seen?.length ?? error, differ.slice(0, 5)]);
});

await exits("plan", 0, "plan");
await exits("the plain migration", 0, "apply", "0001_init.sql");
same("the ledger is wrangler's", [["0001_init.sql"]], await sql("SELECT name FROM d1_migrations"));
const schema_before = await sql("SELECT sql FROM sqlite_master WHERE name = 'Customer'");
idle = write_all();

// ---- one walk, both paths ----

const override = ["--override-gate", "old-writes-idle", "--reason", "test"];
paths = ["old"];
await exits("in-sync", 0, "apply", "--to", "in-sync");
await compare("in-sync", "old");
await compare("in-sync", "new");
paths = ["old", "new"];
await exits("verified while both write", 0, "verify");
paths = ["new"];
await exits("contracted", 0, "apply", "--to", "contracted", ...override);
await compare("contracted", "new");
same("old code fails loudly", true, /no such column|no column named/.test((await ask("old", "insert", { id: 5, area: "1", number: "1", name: "x" })).error));
await exits("back to in-sync", 0, "rollback", "--phase");
paths = ["old", "new"];
await compare("back in in-sync", "old");
paths = ["old"];
await exits("back to pending", 0, "rollback", "--recovery-point", "none");
await compare("pending", "old");
same("the schema is what it was", schema_before, await sql("SELECT sql FROM sqlite_master WHERE name = 'Customer'"));

// ---- the API's limits ----

await provoke({ rate: 20, window_ms: 1000, lose: 3 });
await exits("over the rate, with answers lost", 0, "apply", "--to", "dual-writing");
await provoke({ rate: 0, lose: 0 });
await exits("and back", 0, "rollback", "--recovery-point", "none");

// ---- killed at random moments ----

let kills = 0, runs = 0, rounds = 0;
async function until(wanted, ...args) {
  for (let tries = 0; (await state()) !== wanted; tries++) {
    if (tries > 200) return same(`${args.join(" ")} never came to ${wanted}`, "", (await migrate(...args)).said);
    const got = await run("migrate", args, tries < 40 ? 20 + Math.random() * 500 : undefined);
    kills += got.killed;
    runs++;
    if (!got.killed && got.code !== 0 && (await state()) !== wanted) same(`${args.join(" ")} under kills`, 0, [got.code, got.said]);
  }
}
for (const end = Date.now() + kill_ms; Date.now() < end && failed === 0; rounds++) {
  paths = ["old"];
  await until("in-sync", "apply", "--to", "in-sync");
  paths = ["old", "new"];
  await compare("in-sync after kills", "new");
  paths = ["new"];
  await until("contracted", "apply", "--to", "contracted", ...override);
  await compare("contracted after kills", "new");
  await until("in-sync", "rollback", "--to", "in-sync");
  paths = ["old"];
  await compare("in-sync again after kills", "old");
  await until("pending", "rollback", "--recovery-point", "none");
  await compare("pending after kills", "old");
  same("the schema after kills", schema_before, await sql("SELECT sql FROM sqlite_master WHERE name = 'Customer'"));
}

// ---- to the end ----

await exits("in-sync at last", 0, "apply", "--to", "in-sync");
paths = ["new"];
await exits("contracted at last", 0, "apply", "--to", "contracted", ...override);
await exits("purge asks for a way back", 3, "apply", "--to", "purged");
await until("purged", "apply", "--to", "purged", "--recovery-point", "none");
await compare("purged", "new");
writing = false;
await idle;
same("nothing of the walk is left but its tables", [], await sql("SELECT name FROM sqlite_master WHERE type = 'trigger'"));
same("the application never failed", 0, errors);
const { requests } = await provoke({});
console.log(`${writes} writes by the application, ${kills} kills in ${runs} runs and ${rounds} rounds, ${requests} requests`);
console.log(`${passed} passed, ${failed} failed`);
await mf.dispose();
process.exit(failed === 0 ? 0 : 1);
